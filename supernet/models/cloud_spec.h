// What the spaces of networks over clouds share: tasks, lists of choices, rows of layer tables.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/config.h"
#include "common/json.h"
#include "common/status.h"
#include "search/space/layer_table.h"

namespace voxbit::supernet {

enum class CloudTask { kSegmentation, kClassification };

// "segmentation" and "classification", as configurations write them.
std::vector<std::string> CloudTaskNames();
// Requires: one of CloudTaskNames().
CloudTask CloudTaskOf(const std::string& name);

// Reads the choices of a dimension: integers from 1 to `max`, or ratios above 0 and up to 1. At
// least one, ascending; INVALID_ARGUMENT otherwise.
Status ParseChoices(const Json& found, const std::string& pointer, int64_t max,
                    std::vector<int64_t>& out);
Status ParseRatios(const Json& found, const std::string& pointer, std::vector<double>& out);

// Adds a field of choices from 1 to `max`, or of ratios.
template <class T>
void AddChoices(Fields<T>& fields, const std::string& name, std::vector<int64_t> T::*member,
                int64_t max, const std::string& help) {
  fields.Custom(
      name, "list", help,
      [member, max](const Json& found, const std::string& pointer, T& out) {
        return ParseChoices(found, pointer, max, out.*member);
      },
      [member](const T& in) { return Json(in.*member); });
}
template <class T>
void AddRatios(Fields<T>& fields, const std::string& name, std::vector<double> T::*member,
               const std::string& help) {
  fields.Custom(
      name, "list", help,
      [member](const Json& found, const std::string& pointer, T& out) {
        return ParseRatios(found, pointer, out.*member);
      },
      [member](const T& in) { return Json(in.*member); });
}

// `whole` times each ratio, rounded, at least 1, equal ones once: ascending.
std::vector<int64_t> Shares(double whole, const std::vector<double>& ratios);

// The row of a linear layer or pointwise convolution. `norm` is the path of the batch norm behind
// it, "" where there is none.
search::LayerSpec LinearRow(const std::string& path, int64_t in, int64_t out,
                            const std::string& workload, bool bias = true,
                            const std::string& norm = "");

}  // namespace voxbit::supernet
