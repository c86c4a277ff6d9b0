// No search at all: scores the candidates that the study lists, in their order. For finalists of
// other studies, which are scored again with another seed or on another split, and for comparing
// designs made by hand.
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/config.h"
#include "search/algorithm/generational_search.h"

namespace voxbit::search {
namespace {

constexpr char kName[] = "given";

struct GivenSettings {
  std::vector<Candidate> candidates;
};

Status ParseCandidates(const Json& found, const std::string& pointer, GivenSettings& out) {
  if (!found.is_array() || found.empty()) {
    return ExpectedError(pointer, "a list of candidates, each as text like \"3.0.12.7\"", found);
  }
  std::set<Candidate> seen;
  for (size_t i = 0; i < found.size(); ++i) {
    const std::string at = pointer + "/" + std::to_string(i);
    if (!found[i].is_string()) {
      return ExpectedError(at, "a candidate as text like \"3.0.12.7\"", found[i]);
    }
    Result<Candidate> candidate = DecodeCandidate(found[i].get<std::string>());
    if (!candidate.ok()) return FieldError(at, candidate.status().message());
    if (!seen.insert(*candidate).second) return FieldError(at, "is listed twice");
    out.candidates.push_back(std::move(candidate).value());
  }
  return OkStatus();
}

Json PrintCandidates(const GivenSettings& in) {
  Json list = Json::array();
  for (const Candidate& candidate : in.candidates) list.push_back(Encode(candidate));
  return list;
}

Fields<GivenSettings> GivenFields() {
  Fields<GivenSettings> fields;
  fields.Custom("candidates", "list", "what is scored, as \"trial list\" shows candidates",
                &ParseCandidates, &PrintCandidates);
  fields.Required();
  return fields;
}

class Given final : public GenerationalSearch {
 public:
  // Requires: settings.agent that CheckGiven accepts.
  explicit Given(const AlgorithmContext& context)
      : GenerationalSearch(kName, context, static_cast<size_t>(context.settings.trials)),
        candidates_(GivenFields().Parse(context.settings.agent, "").value().candidates) {}

 private:
  void PlanGeneration(const Rng& /*rng*/) override {
    for (const Candidate& candidate : candidates_) {
      if (Accepts(candidate)) Plan(candidate, kName);
    }
    End();
  }

  std::string WhyExhausted() const override {
    size_t num_infeasible = 0;
    for (const Candidate& candidate : candidates_) {
      if (context().filter.Violation(candidate) > 0) ++num_infeasible;
    }
    std::string why = "all given candidates were proposed";
    if (num_infeasible > 0) {
      why.append(" but ").append(std::to_string(num_infeasible));
      why.append(" that break the constraints");
    }
    return why;
  }

  std::vector<Candidate> candidates_;
};

Result<Json> CheckGiven(const SearchSettings& settings, const SearchSpace& space,
                        const std::string& pointer) {
  const std::string at = pointer + "/agent";
  VOXBIT_ASSIGN_OR_RETURN(const GivenSettings given, GivenFields().Parse(settings.agent, at));
  for (size_t i = 0; i < given.candidates.size(); ++i) {
    const Status valid = space.Validate(given.candidates[i]);
    if (!valid.ok()) {
      return FieldError(at + "/candidates/" + std::to_string(i), valid.message());
    }
  }
  if (settings.trials < static_cast<int64_t>(given.candidates.size())) {
    return FieldError(pointer + "/trials", "expected at least " +
                                               std::to_string(given.candidates.size()) +
                                               ", the number of given candidates, found " +
                                               std::to_string(settings.trials));
  }
  return GivenFields().ToJson(given);
}

}  // namespace

AlgorithmKind MakeGiven() {
  return {.make = &MakeAlgorithm<Given>, .check = &CheckGiven, .is_baseline = true};
}

}  // namespace voxbit::search
