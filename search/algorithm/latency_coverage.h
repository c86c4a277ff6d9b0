// Whether a latency table knows every layer that the candidates of a study have.
#pragma once

#include "search/cost/latency_lut.h"
#include "search/space/supernet_spec.h"

namespace voxbit::search {

// NOT_FOUND names a layer and bits without an entry. Looks at all combinations of bits of all
// layers of the smallest and the largest candidate and of those that differ from one of the two in
// one choice, and, where the table tells shapes apart, of some draws from the space: which shapes a
// layer may have is known for no network as a whole.
// With `workload` null input channels and classes of the network are not known: layers whose shape
// depends on them need an entry of any shape.
Status CheckLatencyTable(const SupernetSpec& spec, const cost::LatencyLut& table,
                         const Workload* workload);

}  // namespace voxbit::search
