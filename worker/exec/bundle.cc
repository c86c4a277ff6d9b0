#include "worker/exec/bundle.h"

#include "common/config.h"
#include "common/digest.h"
#include "common/files.h"

namespace voxbit::worker {
namespace {

constexpr int64_t kFormatVersion = 1;

// Reads one value after the other; the first fault is kept.
class Reader {
 public:
  Reader(const Json& manifest, std::string path) : manifest_(manifest), path_(std::move(path)) {}

  template <class T>
  void Read(const char* pointer, T& out) {
    const Json::json_pointer at(pointer);
    if (!status_.ok()) return;
    if (!manifest_.contains(at)) {
      status_ = FieldError(path_ + ": " + pointer, "missing");
      return;
    }
    try {
      out = manifest_.at(at).get<T>();
    } catch (const Json::exception&) {
      status_ = ExpectedError(path_ + ": " + pointer, "another kind of value", manifest_.at(at));
    }
  }
  template <class T>
  void ReadIfThere(const char* pointer, T& out) {
    if (manifest_.contains(Json::json_pointer(pointer))) Read(pointer, out);
  }

  const Status& status() const { return status_; }

 private:
  const Json& manifest_;
  const std::string path_;
  Status status_;
};

Status CheckWeights(const Bundle& bundle) {
  const std::string path = bundle.weights_path();
  VOXBIT_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path));
  const Json& entry = bundle.manifest[bundle.is_packed() ? "packed" : "weights"];
  const std::string expected = entry.value("sha256", "");
  const std::string found = Sha256Hex(bytes);
  if (found == expected) return OkStatus();
  return DataLoss(path + ": not the file of this manifest: its SHA-256 is " + found +
                  ", expected " + expected + "; export again");
}

}  // namespace

std::string Bundle::weights_path() const {
  const Json& entry = manifest.at(is_packed() ? "packed" : "weights");
  return folder + "/" + entry.value("file", "");
}

Result<Bundle> ReadBundle(const std::string& folder) {
  const std::string path = folder + "/manifest.json";
  Bundle bundle;
  bundle.folder = folder;
  Result<Json> manifest = ReadJsonFile(path);
  if (manifest.status().code() == StatusCode::kNotFound) {
    return NotFound(folder +
                    ": no manifest.json in it; expected a folder that "
                    "search-client export has written");
  }
  if (!manifest.ok()) return manifest.status();
  bundle.manifest = std::move(manifest).value();
  Reader reader(bundle.manifest, path);
  std::string format;
  int64_t version = 0;
  std::string weights;
  std::vector<int32_t> choices;
  reader.Read("/format", format);
  reader.Read("/format_version", version);
  reader.Read("/supernet", bundle.supernet);
  reader.Read("/provenance/space_sha256", bundle.space_digest);
  reader.Read("/candidate/choices", bundle.candidate.choices);
  reader.Read("/output/class_names", bundle.class_names);
  reader.Read("/input", bundle.input);
  reader.Read("/dataset", bundle.dataset);
  reader.Read(bundle.is_packed() ? "/packed/file" : "/weights/file", weights);
  reader.ReadIfThere("/provenance/study_config/evaluate/split", bundle.split);
  reader.ReadIfThere("/provenance/study_config/evaluate/batch", bundle.batch);
  VOXBIT_RETURN_IF_ERROR(reader.status());
  if (format != "voxbit-export" || version != kFormatVersion) {
    return InvalidArgument(path + ": format " + format + " " + std::to_string(version) +
                           ", expected voxbit-export " + std::to_string(kFormatVersion));
  }
  if (weights.empty() || weights.find('/') != std::string::npos) {
    return InvalidArgument(path + ": the name of the weights \"" + weights + "\" is no file name");
  }
  VOXBIT_RETURN_IF_ERROR(CheckWeights(bundle));
  return bundle;
}

Json RecordedScores(const Bundle& bundle) {
  Json scores = Json::object();
  const std::string stage =
      bundle.manifest["weights"].value("source", "") == "finetune" ? "finetune" : "search";
  for (const Json& row : bundle.manifest.value("metrics", Json::array())) {
    if (row.value("stage", "") == stage && row.contains("value")) {
      scores[row.value("metric", "")] = row["value"];
    }
  }
  return scores;
}

}  // namespace voxbit::worker
