#include "registry/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace snug::registry {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class RegistryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = ::testing::TempDir() + "registryXXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
    path_ = directory_ + "/registry.db";
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::unique_ptr<Registry> Open(std::function<void(std::string_view)> at_step = {}) {
    auto registry =
        Registry::Open({.path = path_, .now = [this] { return now_; }, .at_step = std::move(at_step)});
    EXPECT_TRUE(registry.ok()) << registry.status().ToString();
    return std::move(registry).value();
  }

  Deployment Ocr(int64_t version, std::string label = "") {
    ModelRow model{.name = "ocr", .department = "maps", .share = 0.25, .copies_wanted = 2, .created = now_};
    VersionRow row{.model = "ocr",
                   .version = version,
                   .label = std::move(label),
                   .engine = "openvino",
                   .parser = "ocr",
                   .config_yaml = "engine: openvino\n",
                   .digest = "sha256:00",
                   .bytes = int64_t{5} << 32,
                   .created = now_};
    return {model, row};
  }

  void Sql(const std::string& statement) {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(path_.c_str(), &db), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(db, statement.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
        << sqlite3_errmsg(db);
    sqlite3_close(db);
  }

  // Runs `body` in a process of its own that is killed at `step` of its transaction.
  void DieAt(std::string_view step, const std::function<void(Registry&)>& body) {
    pid_t child = ::fork();
    if (child == 0) {
      auto registry = Registry::Open({.path = path_, .now = {}, .at_step = [&](std::string_view at) {
                                        if (at == step) ::kill(::getpid(), SIGKILL);
                                      }});
      body(**registry);
      ::_exit(0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));
  }

  std::string directory_, path_;
  double now_ = 1000.5;
};

TEST_F(RegistryTest, RowsComeBackAfterReopening) {
  Tables before;
  {
    auto registry = Open();
    ASSERT_TRUE(registry->Deploy(Ocr(1, "stable"), "alice").ok());
    std::vector<Change> changes = {AddGroup{{"g1", "maps", 1.5, now_}, {"g1-0", "g1", now_}},
                                   PlaceCopy{{"ocr", 1, "g1"}, "first fit"}};
    ASSERT_TRUE(registry->Apply(changes, "controller").ok());
    before = *registry->Load();
  }
  Tables after = *Open()->Load();
  EXPECT_EQ(before, after);
  EXPECT_EQ(after.next_group, 2);
  ASSERT_NE(after.Version("ocr", 1), nullptr);
  EXPECT_EQ(*after.Version("ocr", 1), Ocr(1, "stable").version);
  EXPECT_EQ(*after.Model("ocr"), Ocr(1).model);
  EXPECT_THAT(after.copies, ElementsAre(CopyRow{{"ocr", 1, "g1"}, CopyState::kPlaced, now_, "first fit"}));
}

TEST_F(RegistryTest, WhatAModelAsksOfPlacementIsKeptAndAudited) {
  Deployment deployment = Ocr(1);
  deployment.model.sharing = Sharing::kGuaranteed;
  deployment.model.keep_apart = {"a", "b.c"};
  deployment.model.pinned_groups = {"g1"};
  ASSERT_TRUE(Open()->Deploy(deployment, "alice").ok());
  EXPECT_EQ(*Open()->Load()->Model("ocr"), deployment.model);
  EXPECT_THAT(Open()->Audit(1)->at(0).detail,
              HasSubstr(" sharing=guaranteed keep_apart=a,b.c pinned_groups=g1"));
  deployment = Ocr(2);
  ASSERT_TRUE(Open()->Deploy(deployment, "alice").ok());
  EXPECT_EQ(*Open()->Load()->Model("ocr"), deployment.model) << "the last deployment's";
}

TEST_F(RegistryTest, AVersionIsDeployedOnce) {
  auto registry = Open();
  ASSERT_TRUE(registry->Deploy(Ocr(1), "alice").ok());
  Status again = registry->Deploy(Ocr(1), "alice");
  EXPECT_EQ(again.code(), Code::kAlreadyExists);
  EXPECT_THAT(again.text(), HasSubstr("version 1 already"));
  EXPECT_EQ(*registry->NextVersion("ocr"), 2);
  EXPECT_EQ(*registry->NextVersion("other"), 1);
  EXPECT_EQ(registry->Audit(10)->size(), 1u);
}

TEST_F(RegistryTest, ALabelMovesToTheNewVersion) {
  auto registry = Open();
  ASSERT_TRUE(registry->Deploy(Ocr(1, "stable"), "a").ok());
  ASSERT_TRUE(registry->Deploy(Ocr(2, "stable"), "a").ok());
  Tables tables = *registry->Load();
  EXPECT_EQ(tables.Version("ocr", 1)->label, "");
  EXPECT_EQ(tables.Version("ocr", 2)->label, "stable");
}

TEST_F(RegistryTest, ARouteRetiresWhatItDoesNotName) {
  auto registry = Open();
  for (int v = 1; v <= 3; ++v) ASSERT_TRUE(registry->Deploy(Ocr(v), "a").ok());
  std::vector<RouteRow> route = {{"ocr", 1, 90}, {"ocr", 3, 10}};
  ASSERT_TRUE(registry->SetRoute("ocr", route, "a").ok());
  Tables tables = *registry->Load();
  EXPECT_EQ(tables.routes, route);
  EXPECT_TRUE(tables.Model("ocr")->route_fixed);
  EXPECT_EQ(tables.Version("ocr", 2)->state, VersionState::kRetired);
  std::vector<RouteRow> bad = {{"ocr", 9, 1}};
  EXPECT_EQ(registry->SetRoute("ocr", bad, "a").code(), Code::kNotFound);
  EXPECT_EQ(registry->Load()->routes, route);  // the failed transaction left nothing
  ASSERT_TRUE(registry->SetRoute("ocr", {}, "a").ok());
  EXPECT_FALSE(registry->Load()->Model("ocr")->route_fixed);
}

TEST_F(RegistryTest, ADeletedModelIsGoneForOrdersAndDisappearsWithItsLastVersion) {
  auto registry = Open();
  ASSERT_TRUE(registry->Deploy(Ocr(1), "a").ok());
  ASSERT_TRUE(registry->DeleteModel("ocr", "a").ok());
  EXPECT_EQ(registry->Scale("ocr", 3, "a").code(), Code::kNotFound);
  EXPECT_EQ(registry->DeleteModel("ocr", "a").code(), Code::kNotFound);
  EXPECT_THAT(registry->Deploy(Ocr(1), "a").text(), HasSubstr("being removed"));
  std::vector<Change> gone = {RemoveVersion{"ocr", 1}};
  ASSERT_TRUE(registry->Apply(gone, "controller").ok());
  EXPECT_TRUE(registry->Load()->models.empty());
  EXPECT_EQ(registry->DeleteModel("ocr", "a").code(), Code::kNotFound);
}

TEST_F(RegistryTest, ChangesAreAllOrNothing) {
  auto registry = Open();
  ASSERT_TRUE(registry->Deploy(Ocr(1), "a").ok());
  std::vector<Change> changes = {AddGroup{{"g1", "", 1, now_}, {"g1-0", "g1", now_}},
                                 PlaceCopy{{"ocr", 7, "g1"}, "no such version"}};
  EXPECT_FALSE(registry->Apply(changes, "controller").ok());
  EXPECT_TRUE(registry->Load()->groups.empty());
  EXPECT_EQ(registry->Load()->next_group, 1);
}

TEST_F(RegistryTest, AKillBeforeTheCommitLeavesNothingAndAfterItEverything) {
  Open();
  DieAt("before-commit", [&](Registry& registry) { (void)registry.Deploy(Ocr(1), "a"); });
  EXPECT_TRUE(Open()->Load()->models.empty());
  EXPECT_TRUE(Open()->Audit(10)->empty());
  DieAt("after-commit", [&](Registry& registry) { (void)registry.Deploy(Ocr(1), "a"); });
  EXPECT_NE(Open()->Load()->Version("ocr", 1), nullptr);
  EXPECT_EQ(Open()->Audit(10)->size(), 1u);
}

TEST_F(RegistryTest, AnOlderSchemaIsBroughtUpToDateAndANewerOneRefused) {
  Open();
  ASSERT_TRUE(Open()->Deploy(Ocr(1), "a").ok());
  Sql("drop table group_use; alter table copies drop column placed_because; "
      "alter table models drop column sharing; alter table models drop column keep_apart; "
      "alter table models drop column pinned_groups; delete from schema_migrations where number >= 2");
  EXPECT_EQ(*Open()->Load()->Model("ocr"), Ocr(1).model) << "it asks for nothing";
  UseRow row{"g1", 300, 1.5, 60};
  EXPECT_TRUE(Open()->SaveUse(std::span(&row, 1), 0).ok());
  Sql("insert into schema_migrations values (99, 'future', 0)");
  auto newer = Registry::Open({.path = path_, .now = {}, .at_step = {}});
  ASSERT_FALSE(newer.ok());
  EXPECT_EQ(newer.status().code(), Code::kFailedPrecondition);
  EXPECT_THAT(newer.status().text(), HasSubstr("newer Snug"));
}

TEST_F(RegistryTest, ACorruptFileIsSaidToBeCorrupt) {
  std::ofstream(path_) << std::string(8192, 'x');
  auto registry = Registry::Open({.path = path_, .now = {}, .at_step = {}});
  ASSERT_FALSE(registry.ok());
  EXPECT_EQ(registry.status().code(), Code::kDataLoss) << registry.status().ToString();
  EXPECT_THAT(registry.status().text(), HasSubstr("backup"));
}

TEST_F(RegistryTest, AMissingDirectoryIsSaid) {
  auto registry = Registry::Open({.path = directory_ + "/no/such/registry.db", .now = {}, .at_step = {}});
  ASSERT_FALSE(registry.ok());
  EXPECT_THAT(registry.status().text(), HasSubstr("registry.db"));
}

TEST_F(RegistryTest, UseBucketsAreReplacedAndForgotten) {
  auto registry = Open();
  std::vector<UseRow> rows = {{"g1", 0, 1, 60}, {"g1", 300, 2, 60}};
  ASSERT_TRUE(registry->SaveUse(rows, 0).ok());
  rows = {{"g1", 300, 3, 90}};
  ASSERT_TRUE(registry->SaveUse(rows, 300).ok());
  auto use = *registry->LoadUse();
  ASSERT_EQ(use.size(), 1u);
  EXPECT_EQ(use[0].cpu_seconds, 3);
}

TEST_F(RegistryTest, TheAuditIsNewestFirst) {
  auto registry = Open();
  ASSERT_TRUE(registry->Deploy(Ocr(1), "alice").ok());
  now_ += 1;
  ASSERT_TRUE(registry->Scale("ocr", 0, "bob").ok());
  auto audit = *registry->Audit(1);
  ASSERT_EQ(audit.size(), 1u);
  EXPECT_EQ(audit[0].who, "bob");
  EXPECT_EQ(audit[0].action, "scale");
  EXPECT_EQ(audit[0].detail, "copies=0");
}

}  // namespace
}  // namespace snug::registry
