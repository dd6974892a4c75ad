#include "registry/registry.h"

#include <fmt/ranges.h>
#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>

#include <algorithm>
#include <mutex>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "registry/migrations.h"

namespace snug::registry {
namespace {

using soci::into;
using soci::use;

constexpr int kLockWaitSecondsMax = 5;
constexpr int kAuditRowsMax = 10000;

std::string Subject(const std::string& model, int64_t version) {
  return fmt::format("{}@{}", model, version);
}
std::string Subject(const CopyId& copy) {
  return Subject(copy.model, copy.version);
}

// What SQLite's error means to whoever asked.
Status FromSqlite(const soci::sqlite3_soci_error& error, const std::string& path) {
  switch (error.result() & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Error(
          Code::kDataLoss,
          "the registry {} is corrupt ({}): put a backup in its place, or move it away to begin anew", path,
          error.what());
    case SQLITE_CONSTRAINT:
      return Internal("the registry {} refused the change: {}", path, error.what());
    case SQLITE_FULL:
      return Unavailable("no space left for the registry {}", path);
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_READONLY:
      return Error(Code::kPermissionDenied, "the registry {} cannot be opened for writing: {}", path,
                   error.what());
    default:
      return Unavailable("registry {}: {}", path, error.what());
  }
}

std::string Quoted(const std::string& path) {
  std::string text = "\"";
  for (char c : path) {
    if (c == '"') text += '\\';
    text += c;
  }
  return text + "\"";
}

// Neither models' nor groups' names have commas.
std::string Joined(const std::vector<std::string>& names) {
  return fmt::format("{}", fmt::join(names, ","));
}

std::vector<std::string> Split(const std::string& names) {
  std::vector<std::string> list;
  for (size_t begin = 0; begin < names.size();) {
    size_t end = std::min(names.find(',', begin), names.size());
    list.push_back(names.substr(begin, end - begin));
    begin = end + 1;
  }
  return list;
}

// "sharing=alone keep_apart=a,b pinned_groups=g1": what differs from a model that asks for nothing.
std::string Wishes(const ModelRow& model) {
  std::string text;
  if (model.sharing != Sharing::kShared) text += fmt::format(" sharing={}", Name(model.sharing));
  if (!model.keep_apart.empty()) text += " keep_apart=" + Joined(model.keep_apart);
  if (!model.pinned_groups.empty()) text += " pinned_groups=" + Joined(model.pinned_groups);
  return text;
}

class SqlRegistry final : public Registry {
 public:
  explicit SqlRegistry(Options options) : options_(std::move(options)) {
    if (!options_.now) options_.now = [] { return SystemClock().WallSeconds(); };
    if (!options_.at_step) options_.at_step = [](std::string_view) {};
  }

  Status OpenFile() {
    return Guarded([&]() -> Status {
      // Not synchronous=full in here: SOCI executes that while it opens and, of a damaged file, leaks the
      // handle.
      sql_.open(soci::sqlite3, fmt::format("db={} timeout={}", Quoted(options_.path), kLockWaitSecondsMax));
      sql_ << "pragma journal_mode=wal";
      sql_ << "pragma synchronous=full";
      sql_ << "pragma foreign_keys=on";
      SNUG_RETURN_IF_ERROR(CheckFile());
      return Migrate();
    });
  }

  Result<Tables> Load() override {
    Tables tables;
    SNUG_RETURN_IF_ERROR(Guarded([&]() -> Status {
      soci::transaction transaction(sql_);
      LoadModels(&tables);
      LoadVersions(&tables);
      LoadGroups(&tables);
      LoadCopies(&tables);
      sql_ << "select value from counters where name = 'next_group'", into(tables.next_group);
      transaction.commit();
      return {};
    }));
    return tables;
  }

  Status Deploy(const Deployment& deployment, const std::string& who) override {
    return Transaction([&]() -> Status {
      const VersionRow& row = deployment.version;
      if (auto state = StateOf(row.model, row.version)) return Exists(row, *state);
      PutModel(deployment.model);
      if (!row.label.empty()) {
        sql_ << "update versions set label = '' where model = :m and label = :l", use(row.model),
            use(row.label);
      }
      InsertVersion(row);
      Note(who, "deploy", Subject(row.model, row.version),
           fmt::format("engine={} digest={} bytes={}{}", row.engine, row.digest, row.bytes,
                       Wishes(deployment.model)));
      return {};
    });
  }

  Result<int64_t> NextVersion(const std::string& model) override {
    long long highest = 0;
    SNUG_RETURN_IF_ERROR(Guarded([&]() -> Status {
      sql_ << "select coalesce(max(version), 0) from versions where model = :m", use(model), into(highest);
      return {};
    }));
    return int64_t{highest + 1};
  }

  Status Scale(const std::string& model, int copies, const std::string& who) override {
    return Transaction([&]() -> Status {
      SNUG_RETURN_IF_ERROR(CheckServed(model));
      sql_ << "update models set copies_wanted = :c where name = :m", use(copies), use(model);
      Note(who, "scale", model, fmt::format("copies={}", copies));
      return {};
    });
  }

  Status SetRoute(const std::string& model, std::span<const RouteRow> weights,
                  const std::string& who) override {
    return Transaction([&]() -> Status {
      SNUG_RETURN_IF_ERROR(CheckServed(model));
      for (const RouteRow& row : weights) SNUG_RETURN_IF_ERROR(CheckVersionUsable(model, row.version));
      sql_ << "delete from routes where model = :m", use(model);
      int fixed = weights.empty() ? 0 : 1;
      sql_ << "update models set route_fixed = :f where name = :m", use(fixed), use(model);
      if (fixed) SetStateWhere(model, VersionState::kLive, VersionState::kRetired);
      std::string detail;
      for (const RouteRow& row : weights) {
        SetState(model, row.version, VersionState::kLive);
        sql_ << "insert into routes (model, version, weight) values (:m, :v, :w)", use(model),
            use(static_cast<long long>(row.version)), use(row.weight);
        detail += fmt::format("{}{}={}", detail.empty() ? "" : " ", row.version, row.weight);
      }
      Note(who, "route", model, detail.empty() ? "automatic" : detail);
      return {};
    });
  }

  Status DeleteModel(const std::string& model, const std::string& who) override {
    return Transaction([&]() -> Status {
      SNUG_RETURN_IF_ERROR(CheckServed(model));
      int deleting = static_cast<int>(VersionState::kDeleting);
      sql_ << "update versions set state = :s, label = '' where model = :m", use(deleting), use(model);
      sql_ << "delete from routes where model = :m", use(model);
      sql_ << "update models set route_fixed = 0 where name = :m", use(model);
      Note(who, "delete", model, "");
      return {};
    });
  }

  Status Apply(std::span<const Change> changes, const std::string& who) override {
    if (changes.empty()) return {};
    return Transaction([&]() -> Status {
      for (const Change& change : changes) std::visit([&](const auto& c) { Do(c, who); }, change);
      return {};
    });
  }

  Result<std::vector<AuditRow>> Audit(int limit) override {
    std::vector<AuditRow> rows;
    SNUG_RETURN_IF_ERROR(Guarded([&]() -> Status {
      AuditRow row;
      int count = std::clamp(limit, 1, kAuditRowsMax);
      soci::statement statement =
          (sql_.prepare
               << "select time, who, action, subject, detail from audit order by rowid desc limit :n",
           use(count), into(row.time), into(row.who), into(row.action), into(row.subject), into(row.detail));
      for (statement.execute(); statement.fetch();) rows.push_back(row);
      return {};
    }));
    return rows;
  }

  Status SaveUse(std::span<const UseRow> rows, int64_t forget_before) override {
    return Transaction([&]() -> Status {
      long long before = forget_before;
      sql_ << "delete from group_use where start < :b", use(before);
      for (const UseRow& row : rows) {
        long long start = row.start;
        sql_ << "delete from group_use where group_id = :g and start = :s", use(row.group), use(start);
        sql_ << "insert into group_use (group_id, start, cpu_seconds, wall_seconds) values (:g, :s, :c, :w)",
            use(row.group), use(start), use(row.cpu_seconds), use(row.wall_seconds);
      }
      return {};
    });
  }

  Result<std::vector<UseRow>> LoadUse() override {
    std::vector<UseRow> rows;
    SNUG_RETURN_IF_ERROR(Guarded([&]() -> Status {
      UseRow row;
      long long start = 0;
      soci::statement statement =
          (sql_.prepare << "select group_id, start, cpu_seconds, wall_seconds from group_use order by 1, 2",
           into(row.group), into(start), into(row.cpu_seconds), into(row.wall_seconds));
      for (statement.execute(); statement.fetch();) {
        row.start = start;
        rows.push_back(row);
      }
      return {};
    }));
    return rows;
  }

 private:
  // SOCI reports by exceptions; they end here.
  template <typename Body>
  Status Guarded(Body body) {
    std::lock_guard lock(mutex_);
    try {
      return body();
    } catch (const soci::sqlite3_soci_error& error) {
      return FromSqlite(error, options_.path);
    } catch (const std::exception& error) {
      return Internal("registry {}: {}", options_.path, error.what());
    }
  }

  template <typename Body>
  Status Transaction(Body body) {
    return Guarded([&]() -> Status {
      soci::transaction transaction(sql_);  // rolls back unless committed
      SNUG_RETURN_IF_ERROR(body());
      options_.at_step("before-commit");
      transaction.commit();
      options_.at_step("after-commit");
      return {};
    });
  }

  Status CheckFile() {
    std::string verdict;
    sql_ << "pragma quick_check(1)", into(verdict);
    if (verdict == "ok") return {};
    return Error(Code::kDataLoss,
                 "the registry {} is corrupt ({}): put a backup in its place, or move it away to begin anew",
                 options_.path, verdict);
  }

  Status Migrate() {
    sql_ << "create table if not exists schema_migrations "
            "(number integer primary key, name varchar(256) not null, applied double precision not null)";
    int have = 0;
    sql_ << "select coalesce(max(number), 0) from schema_migrations", into(have);
    int known = Migrations().back().number;
    if (have > known) {
      return FailedPrecondition(
          "the registry {} has schema {}, this program knows {} at most: it was written by a newer Snug; use "
          "that one",
          options_.path, have, known);
    }
    for (const Migration& migration : Migrations().subspan(static_cast<size_t>(have))) Run(migration);
    return {};
  }

  void Run(const Migration& migration) {
    soci::transaction transaction(sql_);
    for (std::string_view statement : migration.statements) sql_ << std::string(statement);
    double now = options_.now();
    std::string name(migration.name);
    sql_ << "insert into schema_migrations (number, name, applied) values (:n, :m, :t)",
        use(migration.number), use(name), use(now);
    transaction.commit();
    log::Info("registry migrated", {{"schema", std::to_string(migration.number)}, {"what", name}});
  }

  void LoadModels(Tables* tables) {
    ModelRow row;
    int fixed = 0, sharing = 0;
    std::string keep_apart, pinned_groups;
    soci::statement statement =
        (sql_.prepare << "select name, department, share, copies_wanted, route_fixed, created, sharing, "
                         "keep_apart, pinned_groups from models order by 1",
         into(row.name), into(row.department), into(row.share), into(row.copies_wanted), into(fixed),
         into(row.created), into(sharing), into(keep_apart), into(pinned_groups));
    for (statement.execute(); statement.fetch();) {
      row.route_fixed = fixed != 0;
      row.sharing = static_cast<Sharing>(sharing);
      row.keep_apart = Split(keep_apart);
      row.pinned_groups = Split(pinned_groups);
      tables->models.push_back(row);
    }
  }

  void LoadVersions(Tables* tables) {
    VersionRow row;
    long long version = 0, bytes = 0;
    int state = 0;
    soci::statement statement =
        (sql_.prepare
             << "select model, version, label, state, engine, parser, config_yaml, digest, bytes, created "
                "from versions order by 1, 2",
         into(row.model), into(version), into(row.label), into(state), into(row.engine), into(row.parser),
         into(row.config_yaml), into(row.digest), into(bytes), into(row.created));
    for (statement.execute(); statement.fetch();) {
      row.version = version;
      row.bytes = bytes;
      row.state = static_cast<VersionState>(state);
      tables->versions.push_back(row);
    }
    RouteRow route;
    soci::statement routes = (sql_.prepare << "select model, version, weight from routes order by 1, 2",
                              into(route.model), into(version), into(route.weight));
    for (routes.execute(); routes.fetch();) {
      route.version = version;
      tables->routes.push_back(route);
    }
  }

  // In the order in which they were made: "g10" comes after "g9".
  void LoadGroups(Tables* tables) {
    GroupRow group;
    soci::statement groups =
        (sql_.prepare << "select id, department, cores, created from groups order by length(id), id",
         into(group.id), into(group.department), into(group.cores), into(group.created));
    for (groups.execute(); groups.fetch();) tables->groups.push_back(group);
    ServerRow server;
    soci::statement servers =
        (sql_.prepare << "select id, group_id, created from servers order by length(id), id", into(server.id),
         into(server.group), into(server.created));
    for (servers.execute(); servers.fetch();) tables->servers.push_back(server);
  }

  void LoadCopies(Tables* tables) {
    CopyRow row;
    long long version = 0;
    int state = 0;
    soci::statement statement =
        (sql_.prepare << "select model, version, group_id, state, created, placed_because from copies "
                         "order by 1, 2, 3",
         into(row.id.model), into(version), into(row.id.group), into(state), into(row.created),
         into(row.placed_because));
    for (statement.execute(); statement.fetch();) {
      row.id.version = version;
      row.state = static_cast<CopyState>(state);
      tables->copies.push_back(row);
    }
  }

  std::optional<VersionState> StateOf(const std::string& model, int64_t version) {
    int state = 0;
    long long number = version;
    sql_ << "select state from versions where model = :m and version = :v", use(model), use(number),
        into(state);
    if (!sql_.got_data()) return std::nullopt;
    return static_cast<VersionState>(state);
  }

  static Status Exists(const VersionRow& row, VersionState state) {
    bool going = state == VersionState::kDeleting;
    return Error(Code::kAlreadyExists, "model \"{}\" has a version {} {}: {}", row.model, row.version,
                 going ? "that is being removed" : "already",
                 going ? "wait until it is gone, or leave the number out"
                       : "versions never change; take a new number");
  }

  // A model all of whose versions are being deleted counts as gone for new orders.
  Status CheckServed(const std::string& model) {
    long long versions = 0;
    int deleting = static_cast<int>(VersionState::kDeleting);
    sql_ << "select count(*) from versions where model = :m and state <> :d", use(model), use(deleting),
        into(versions);
    if (versions > 0) return {};
    return NotFound("model \"{}\" is not deployed here", model);
  }

  Status CheckVersionUsable(const std::string& model, int64_t version) {
    auto state = StateOf(model, version);
    if (state && *state != VersionState::kDeleting) return {};
    return NotFound("model \"{}\" has no version {}", model, version);
  }

  void PutModel(const ModelRow& row) {
    int fixed = row.route_fixed ? 1 : 0, sharing = static_cast<int>(row.sharing);
    std::string keep_apart = Joined(row.keep_apart), pinned_groups = Joined(row.pinned_groups);
    soci::statement update =
        (sql_.prepare << "update models set department = :d, share = :s, copies_wanted = :c, sharing = :i, "
                         "keep_apart = :k, pinned_groups = :p where name = :n",
         use(row.department), use(row.share), use(row.copies_wanted), use(sharing), use(keep_apart),
         use(pinned_groups), use(row.name));
    update.execute(true);
    if (update.get_affected_rows() > 0) return;
    sql_ << "insert into models (name, department, share, copies_wanted, route_fixed, created, sharing, "
            "keep_apart, pinned_groups) values (:n, :d, :s, :c, :f, :t, :i, :k, :p)",
        use(row.name), use(row.department), use(row.share), use(row.copies_wanted), use(fixed),
        use(row.created), use(sharing), use(keep_apart), use(pinned_groups);
  }

  void InsertVersion(const VersionRow& row) {
    long long version = row.version, bytes = row.bytes;
    int state = static_cast<int>(row.state);
    sql_ << "insert into versions (model, version, label, state, engine, parser, config_yaml, digest, bytes, "
            "created) "
            "values (:m, :v, :l, :s, :e, :p, :y, :d, :b, :t)",
        use(row.model), use(version), use(row.label), use(state), use(row.engine), use(row.parser),
        use(row.config_yaml), use(row.digest), use(bytes), use(row.created);
  }

  void SetState(const std::string& model, int64_t version, VersionState state) {
    long long number = version;
    int value = static_cast<int>(state);
    sql_ << "update versions set state = :s where model = :m and version = :v", use(value), use(model),
        use(number);
  }

  void SetStateWhere(const std::string& model, VersionState from, VersionState to) {
    int old_state = static_cast<int>(from), new_state = static_cast<int>(to);
    sql_ << "update versions set state = :n where model = :m and state = :o", use(new_state), use(model),
        use(old_state);
  }

  void SetCopy(const CopyId& copy, CopyState state) {
    long long version = copy.version;
    int value = static_cast<int>(state);
    sql_ << "update copies set state = :s where model = :m and version = :v and group_id = :g", use(value),
        use(copy.model), use(version), use(copy.group);
  }

  void Do(const AddGroup& change, const std::string& who) {
    const GroupRow& group = change.group;
    sql_ << "insert into groups (id, department, cores, created) values (:i, :d, :c, :t)", use(group.id),
        use(group.department), use(group.cores), use(group.created);
    sql_ << "insert into servers (id, group_id, created) values (:i, :g, :t)", use(change.server.id),
        use(group.id), use(change.server.created);
    sql_ << "update counters set value = value + 1 where name = 'next_group'";
    Note(who, "add-group", group.id, fmt::format("department={} cores={}", group.department, group.cores));
  }

  void Do(const RemoveGroup& change, const std::string& who) {
    sql_ << "delete from servers where group_id = :g", use(change.id);
    sql_ << "delete from group_use where group_id = :g", use(change.id);
    sql_ << "delete from groups where id = :g", use(change.id);
    Note(who, "remove-group", change.id, "");
  }

  void Do(const PlaceCopy& change, const std::string& who) {
    long long version = change.copy.version;
    int placed = static_cast<int>(CopyState::kPlaced);
    double now = options_.now();
    sql_ << "insert into copies (model, version, group_id, state, created, placed_because) "
            "values (:m, :v, :g, :s, :t, :w)",
        use(change.copy.model), use(version), use(change.copy.group), use(placed), use(now), use(change.why);
    Note(who, "place", Subject(change.copy), fmt::format("{}: {}", change.copy.group, change.why));
  }

  void Do(const DrainCopy& change, const std::string& who) {
    SetCopy(change.copy, CopyState::kDraining);
    Note(who, "drain", Subject(change.copy), fmt::format("{}: {}", change.copy.group, change.why));
  }

  void Do(const KeepCopy& change, const std::string& who) {
    SetCopy(change.copy, CopyState::kPlaced);
    Note(who, "keep", Subject(change.copy), change.copy.group);
  }

  void Do(const RemoveCopy& change, const std::string& who) {
    long long version = change.copy.version;
    sql_ << "delete from copies where model = :m and version = :v and group_id = :g", use(change.copy.model),
        use(version), use(change.copy.group);
    Note(who, "remove-copy", Subject(change.copy), change.copy.group);
  }

  void Do(const RetireVersion& change, const std::string& who) {
    SetState(change.model, change.version, VersionState::kRetired);
    Note(who, "retire", Subject(change.model, change.version), change.why);
  }

  void Do(const RemoveVersion& change, const std::string& who) {
    long long version = change.version, left = 0;
    sql_ << "delete from versions where model = :m and version = :v", use(change.model), use(version);
    sql_ << "select count(*) from versions where model = :m", use(change.model), into(left);
    if (left == 0) sql_ << "delete from models where name = :m", use(change.model);
    Note(who, "remove-version", Subject(change.model, change.version),
         left == 0 ? "the last: the model is gone" : "");
  }

  void Note(const std::string& who, const std::string& action, const std::string& subject,
            const std::string& detail) {
    double now = options_.now();
    sql_ << "insert into audit (time, who, action, subject, detail) values (:t, :w, :a, :s, :d)", use(now),
        use(who), use(action), use(subject), use(detail);
  }

  Options options_;
  std::mutex mutex_;
  soci::session sql_;
};

std::string Text(const AddGroup& c) {
  return "add group " + c.group.id;
}
std::string Text(const RemoveGroup& c) {
  return "remove group " + c.id;
}
std::string Text(const PlaceCopy& c) {
  return fmt::format("place {} in {}: {}", Subject(c.copy), c.copy.group, c.why);
}
std::string Text(const DrainCopy& c) {
  return fmt::format("drain {} in {}: {}", Subject(c.copy), c.copy.group, c.why);
}
std::string Text(const KeepCopy& c) {
  return fmt::format("keep {} in {}", Subject(c.copy), c.copy.group);
}
std::string Text(const RemoveCopy& c) {
  return fmt::format("remove {} from {}", Subject(c.copy), c.copy.group);
}
std::string Text(const RetireVersion& c) {
  return fmt::format("retire {}: {}", Subject(c.model, c.version), c.why);
}
std::string Text(const RemoveVersion& c) {
  return "remove " + Subject(c.model, c.version);
}

}  // namespace

std::string_view Name(Sharing sharing) {
  switch (sharing) {
    case Sharing::kShared:
      return "shared";
    case Sharing::kGuaranteed:
      return "guaranteed";
    case Sharing::kAlone:
      return "alone";
  }
  return "unknown";
}

const ModelRow* Tables::Model(std::string_view name) const {
  auto it = std::ranges::find(models, name, &ModelRow::name);
  return it == models.end() ? nullptr : &*it;
}

const VersionRow* Tables::Version(std::string_view model, int64_t version) const {
  auto it =
      std::ranges::find_if(versions, [&](const auto& v) { return v.model == model && v.version == version; });
  return it == versions.end() ? nullptr : &*it;
}

std::string Describe(const Change& change) {
  return std::visit([](const auto& c) { return Text(c); }, change);
}

Result<std::unique_ptr<Registry>> Registry::Open(Options options) {
  auto registry = std::make_unique<SqlRegistry>(std::move(options));
  SNUG_RETURN_IF_ERROR(registry->OpenFile());
  return std::unique_ptr<Registry>(std::move(registry));
}

}  // namespace snug::registry
