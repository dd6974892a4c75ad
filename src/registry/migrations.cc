#include "registry/migrations.h"

namespace snug::registry {
namespace {

// Plain types and no SQLite dialect, so that PostgreSQL takes the same text.
// NOLINTBEGIN(bugprone-suspicious-missing-comma): statements longer than a line
constexpr std::string_view kFirst[] = {
    "create table models (name varchar(128) primary key, department varchar(128) not null, "
    "share double precision not null, copies_wanted integer not null, route_fixed integer not null, "
    "created double precision not null)",
    "create table versions (model varchar(128) not null references models(name), version bigint not null, "
    "label varchar(64) not null, state integer not null, engine varchar(128) not null, "
    "parser varchar(128) not null, config_yaml text not null, digest varchar(128) not null, "
    "bytes bigint not null, created double precision not null, primary key (model, version))",
    "create table groups (id varchar(32) primary key, department varchar(128) not null, "
    "cores double precision not null, created double precision not null)",
    "create table servers (id varchar(32) primary key, group_id varchar(32) not null references groups(id), "
    "created double precision not null)",
    "create table copies (model varchar(128) not null, version bigint not null, "
    "group_id varchar(32) not null references groups(id), state integer not null, "
    "created double precision not null, primary key (model, version, group_id), "
    "foreign key (model, version) references versions(model, version))",
    "create table routes (model varchar(128) not null, version bigint not null, weight integer not null, "
    "primary key (model, version), foreign key (model, version) references versions(model, version))",
    "create table audit (time double precision not null, who varchar(128) not null, "
    "action varchar(64) not null, subject varchar(256) not null, detail text not null)",
    "create index audit_time on audit (time)",
    "create table counters (name varchar(32) primary key, value bigint not null)",
    "insert into counters (name, value) values ('next_group', 1)",
};

constexpr std::string_view kUseHistory[] = {
    "create table group_use (group_id varchar(32) not null, start bigint not null, "
    "cpu_seconds double precision not null, wall_seconds double precision not null, "
    "primary key (group_id, start))",
};

constexpr std::string_view kPlacedBecause[] = {
    "alter table copies add column placed_because text not null default ''",
};

// Lists are names with commas between them.
constexpr std::string_view kPlacementWishes[] = {
    "alter table models add column sharing integer not null default 0",
    "alter table models add column keep_apart text not null default ''",
    "alter table models add column pinned_groups text not null default ''",
};

// NOLINTEND(bugprone-suspicious-missing-comma)

constexpr Migration kMigrations[] = {
    {1, "models, versions, groups, servers, copies, routes, audit", kFirst},
    {2, "use history of the groups", kUseHistory},
    {3, "why each copy stands where it does", kPlacedBecause},
    {4, "what a model asks of placement", kPlacementWishes},
};

}  // namespace

std::span<const Migration> Migrations() {
  return kMigrations;
}

}  // namespace snug::registry
