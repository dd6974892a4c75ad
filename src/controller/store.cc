#include "controller/store.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "base/log.h"
#include "controller/decide.h"
#include "controller/unpack.h"
#include "os/files.h"
#include "os/unique_fd.h"
#include "repository/repository.h"

namespace snug::controller {
namespace {

constexpr int kWrappersMax = 4;  // directories around everything that are taken off

Status Rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0)
    return ErrnoError(errno, fmt::format("move {} to {}", from, to));
  return {};
}

Status SyncDirectory(const std::string& directory) {
  os::UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid() || ::fsync(fd.get()) != 0) return ErrnoError(errno, directory);
  return {};
}

Result<std::string> MakeTemporary(const std::string& parent) {
  SNUG_RETURN_IF_ERROR(os::MakeDirs(parent));
  std::string name = parent + "/XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) return ErrnoError(errno, name);
  return name;
}

// "model/1/saved_model.pb" was sent: what counts is where the files begin.
Result<std::string> InnerDirectory(std::string directory) {
  for (int i = 0; i < kWrappersMax; ++i) {
    SNUG_ASSIGN_OR_RETURN(auto names, os::ListDir(directory));
    if (names.size() != 1 || !os::IsDirectory(directory + "/" + names[0])) break;
    if (names[0] == repository::kStepsDirectory) break;  // of a pipeline, which has no other files
    directory += "/" + names[0];
  }
  return directory;
}

Result<std::string> TakeModelYaml(const std::string& directory) {
  std::string path = directory + "/model.yaml";
  if (!os::Exists(path)) return std::string();
  SNUG_ASSIGN_OR_RETURN(std::string text, os::ReadFile(path, 1 << 20));
  SNUG_RETURN_IF_ERROR(os::RemoveTree(path));
  return text;
}

}  // namespace

Result<Upload> Store::Unpack(const std::string& tar_file, const UploadLimits& limits) {
  SNUG_ASSIGN_OR_RETURN(std::string root, MakeTemporary(directory_ + "/.incoming"));
  Upload upload;
  upload.root = root;
  Status status = [&]() -> Status {
    SNUG_RETURN_IF_ERROR(UnpackTar(tar_file, root, limits));
    SNUG_ASSIGN_OR_RETURN(upload.directory, InnerDirectory(root));
    SNUG_ASSIGN_OR_RETURN(upload.model_yaml, TakeModelYaml(upload.directory));
    SNUG_ASSIGN_OR_RETURN(upload.directory, InnerDirectory(upload.directory));
    SNUG_ASSIGN_OR_RETURN(TreeDigest digest, DigestTree(upload.directory));
    upload.digest = digest.text;
    upload.bytes = digest.bytes;
    upload.files = digest.files;
    if (upload.files == 0) return InvalidArgument("the upload holds no files of a model");
    return {};
  }();
  if (status.ok()) return upload;
  Discard(upload);
  return status;
}

void Store::Discard(const Upload& upload) {
  if (Status status = os::RemoveTree(upload.root); !status.ok()) {
    log::Warning("upload not removed", {{"why", status.text()}});
  }
}

Status Store::Put(const Upload& upload, const std::string& model, int64_t version) {
  std::string parent = directory_ + "/" + model;
  std::string place = StorePath(directory_, model, version);
  SNUG_RETURN_IF_ERROR(os::MakeDirs(parent));
  SNUG_RETURN_IF_ERROR(os::RemoveTree(place));  // without a row it is a crash's leftover
  SNUG_RETURN_IF_ERROR(Rename(upload.directory, place));
  SNUG_RETURN_IF_ERROR(SyncDirectory(parent));
  SNUG_RETURN_IF_ERROR(SyncDirectory(directory_));
  Discard(upload);
  return {};
}

// Out of the way first: a new version may take the place while a large tree is deleted.
Status Store::Remove(const std::string& model, int64_t version) {
  std::string place = StorePath(directory_, model, version);
  if (!os::Exists(place)) return {};
  SNUG_ASSIGN_OR_RETURN(std::string trash, MakeTemporary(directory_ + "/.incoming"));
  SNUG_RETURN_IF_ERROR(Rename(place, trash + "/removed"));
  ::rmdir((directory_ + "/" + model).c_str());  // fails while it holds other versions
  return os::RemoveTree(trash);
}

Status Store::Sweep(const std::set<std::pair<std::string, int64_t>>& known) {
  SNUG_RETURN_IF_ERROR(os::MakeDirs(directory_));
  SNUG_RETURN_IF_ERROR(os::RemoveTree(directory_ + "/.incoming"));
  SNUG_RETURN_IF_ERROR(os::MakeDirs(directory_ + "/.incoming"));
  SNUG_ASSIGN_OR_RETURN(auto models, os::ListDir(directory_));
  for (const std::string& model : models) {
    if (model.starts_with(".")) continue;
    SNUG_ASSIGN_OR_RETURN(auto versions, os::ListDir(directory_ + "/" + model));
    for (const std::string& version : versions) {
      if (known.contains({model, std::atoll(version.c_str())})) continue;
      log::Info("files without a version are removed", {{"model", model}, {"version", version}});
      SNUG_RETURN_IF_ERROR(os::RemoveTree(directory_ + "/" + model + "/" + version));
    }
    ::rmdir((directory_ + "/" + model).c_str());
  }
  return {};
}

}  // namespace snug::controller
