// The states of algorithms. A large one is a file, <store>/states/<study>/ with the layout of an
// artifact store, so that a round of a learning agent does not rewrite megabytes of the database.
// The file is complete on disk before a row names it; a superseded one goes only after the row that
// replaced it was committed: with the next save, or when the store is opened.
#include <charconv>
#include <filesystem>
#include <utility>

#include "common/digest.h"
#include "common/files.h"
#include "storage/artifact_store.h"
#include "storage/store_impl.h"

namespace voxbit::storage {
namespace {

struct StateRow {
  AlgorithmState state;
  std::string artifact;  // holds the blob; "": the row does
};

Result<std::string> ArtifactOf(Database& database, int64_t study_id) {
  VOXBIT_ASSIGN_OR_RETURN(
      std::optional<std::string> artifact,
      ReadOne(
          database.Prepare("SELECT artifact FROM algorithm_states WHERE study_id = ?", study_id),
          +[](const Statement& row) -> Result<std::string> { return row.Text(0); }));
  return artifact.value_or("");
}

// The bytes that a row's artifact names.
Result<std::string> ReadState(const std::string& folder, const std::string& artifact) {
  const std::string lost = "the state of the algorithm, artifact " + artifact + " in " + folder;
  VOXBIT_ASSIGN_OR_RETURN(const auto states, ArtifactStore::Open(folder));
  const auto path = states->Path(artifact);
  if (!path.ok()) return DataLoss(lost + ", is gone", "STORE_CORRUPT");
  VOXBIT_ASSIGN_OR_RETURN(std::string bytes, ReadFile(*path));
  if (Sha256Hex(bytes) != artifact) return DataLoss(lost + ", is damaged", "STORE_CORRUPT");
  return bytes;
}

}  // namespace

Status Store::Impl::SaveState(Database& database, int64_t study_id, const AlgorithmState& state,
                              bool may_remove) {
  VOXBIT_RETURN_IF_ERROR(FindStudy(database, study_id).status());
  VOXBIT_ASSIGN_OR_RETURN(const std::string current, ArtifactOf(database, study_id));
  std::string artifact;
  std::unique_ptr<ArtifactStore> states;
  if (state.blob.size() > kLargeStateBytes) {
    VOXBIT_ASSIGN_OR_RETURN(states, ArtifactStore::Open(StatesFolder(study_id)));
    VOXBIT_ASSIGN_OR_RETURN(artifact, states->Put(state.blob));
  }
  VOXBIT_RETURN_IF_ERROR(database.Run(
      "INSERT OR REPLACE INTO algorithm_states (study_id, blob, told_sequence, "
      "saved_ms, artifact) VALUES (?, ?, ?, ?, ?)",
      study_id, Blob{artifact.empty() ? std::string_view(state.blob) : std::string_view()},
      state.told_sequence, Now(), artifact));
  if (states == nullptr || !may_remove) return OkStatus();
  return states->KeepOnly({current, artifact});
}

Status Store::Impl::RemoveOrphanedStates() {
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder_ + "/states", error), end; !error && it != end;
       it.increment(error)) {
    const std::string name = it->path().filename().string();
    int64_t study_id = 0;
    const auto [rest, bad] = std::from_chars(name.data(), name.data() + name.size(), study_id);
    if (bad != std::errc() || rest != name.data() + name.size()) continue;
    VOXBIT_ASSIGN_OR_RETURN(const std::string artifact, ArtifactOf(*write_, study_id));
    VOXBIT_ASSIGN_OR_RETURN(const auto states, ArtifactStore::Open(StatesFolder(study_id)));
    VOXBIT_RETURN_IF_ERROR(states->KeepOnly({artifact}));
  }
  if (!error || error == std::errc::no_such_file_or_directory) return OkStatus();
  return WithStoreReason(FromErrno(error.value(), folder_ + "/states"));
}

Status Store::SaveAlgorithmState(int64_t study_id, const AlgorithmState& state) {
  // Inside a transaction of the caller what this thread sees is not committed.
  const bool may_remove = !impl_->InTransaction();
  return impl_->Write(
      [&](Database& database) { return impl_->SaveState(database, study_id, state, may_remove); });
}

Result<std::optional<AlgorithmState>> Store::LoadAlgorithmState(int64_t study_id) const {
  VOXBIT_ASSIGN_OR_RETURN(
      std::optional<StateRow> found, impl_->Read<std::optional<StateRow>>([&](Database& database) {
        return ReadOne(
            database.Prepare("SELECT blob, told_sequence, artifact FROM algorithm_states "
                             "WHERE study_id = ?",
                             study_id),
            +[](const Statement& row) -> Result<StateRow> {
              return StateRow{{row.Text(0), row.Int(1)}, row.Text(2)};
            });
      }));
  if (!found.has_value()) return std::optional<AlgorithmState>();
  if (!found->artifact.empty()) {
    VOXBIT_ASSIGN_OR_RETURN(found->state.blob,
                            ReadState(impl_->StatesFolder(study_id), found->artifact));
  }
  return std::optional<AlgorithmState>(std::move(found->state));
}

}  // namespace voxbit::storage
