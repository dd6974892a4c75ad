// The registry: models, versions, groups, servers, copies, routes and the audit, in SQLite (through SOCI).
// Nobody else sees SQL.
//
// Every change is one transaction together with its audit rows, and durable when the call returns (WAL with
// synchronous=FULL). Thread-safe: calls take turns. Errors: UNAVAILABLE when the disk is full or the file is
// locked, DATA_LOSS when the file is corrupt, FAILED_PRECONDITION when it was written by a newer Snug.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/status.h"
#include "registry/rows.h"

namespace snug::registry {

// A version whose files are in the store already, with the model's own settings as they shall be.
struct Deployment {
  ModelRow model;
  VersionRow version;
};

// What the reconcile loop changes by itself. Applied in order, all or nothing.
struct AddGroup {
  GroupRow group;
  ServerRow server;
};
struct RemoveGroup {
  std::string id;
};
struct PlaceCopy {
  CopyId copy;
  std::string why;
};
struct DrainCopy {
  CopyId copy;
  std::string why;
};
struct KeepCopy {  // a draining copy that is wanted again
  CopyId copy;
};
struct RemoveCopy {
  CopyId copy;
};
struct RetireVersion {
  std::string model;
  int64_t version = 0;
  std::string why;
};
struct RemoveVersion {  // with the model itself when it was its last
  std::string model;
  int64_t version = 0;
};
using Change = std::variant<AddGroup, RemoveGroup, PlaceCopy, DrainCopy, KeepCopy, RemoveCopy, RetireVersion,
                            RemoveVersion>;

// "place ocr@3 in g1", for logs.
std::string Describe(const Change& change);

class Registry {
 public:
  struct Options {
    std::string path;
    std::function<double()> now;  // seconds since 1970; empty: the system's clock
    // Tests stop the process here: "before-commit", "after-commit".
    std::function<void(std::string_view step)> at_step;
  };

  // Makes the file where there is none, and brings an older schema up to date.
  static Result<std::unique_ptr<Registry>> Open(Options options);
  virtual ~Registry() = default;

  virtual Result<Tables> Load() = 0;

  // Adds the version, and the model if it is new; a deleted model that is still draining comes back to life.
  // The label is taken from the version that has it. ALREADY_EXISTS when there is such a version.
  virtual Status Deploy(const Deployment& deployment, const std::string& who) = 0;
  // The number after the highest that the model has.
  virtual Result<int64_t> NextVersion(const std::string& model) = 0;
  virtual Status Scale(const std::string& model, int copies, const std::string& who) = 0;
  // Stores the weights: named versions become live, others retired. Empty: automatic again, and nothing is
  // retired. NOT_FOUND when the model or a version is not there.
  virtual Status SetRoute(const std::string& model, std::span<const RouteRow> weights,
                          const std::string& who) = 0;
  // Marks all versions for deletion; the reconcile loop does the rest.
  virtual Status DeleteModel(const std::string& model, const std::string& who) = 0;

  virtual Status Apply(std::span<const Change> changes, const std::string& who) = 0;

  // Newest first.
  virtual Result<std::vector<AuditRow>> Audit(int limit) = 0;

  // Adds or replaces a bucket, and forgets those that began before `forget_before`. Measurements: no audit
  // row.
  virtual Status SaveUse(std::span<const UseRow> rows, int64_t forget_before) = 0;
  virtual Result<std::vector<UseRow>> LoadUse() = 0;
};

}  // namespace snug::registry
