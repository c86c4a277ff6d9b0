// Which instruction set the kernels of this process use.
#pragma once

namespace voxbit::kernels {

enum class Isa { kRef, kAvx2 };

// True when this build has kernels of that set and the processor can run them.
bool IsaAvailable(Isa isa);

// The best available set; VOXBIT_ISA=ref in the environment forces the portable reference. The
// environment is read once, at the first call. Thread-safe.
Isa ActiveIsa();

// "ref", "avx2".
const char* IsaName(Isa isa);

}  // namespace voxbit::kernels
