#include "cli/model_archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <map>

#include "os/files.h"
#include "repository/test_dir.h"

namespace snug::cli {
namespace {

using repository::TestDir;
using testing::HasSubstr;
using testing::Pair;
using testing::UnorderedElementsAre;

// Names and contents of a tar; what is not a regular file has the content "?".
std::map<std::string, std::string> Unpack(const std::string& file) {
  std::map<std::string, std::string> files;
  archive* tar = archive_read_new();
  archive_read_support_format_tar(tar);
  EXPECT_EQ(archive_read_open_filename(tar, file.c_str(), 4096), ARCHIVE_OK);
  archive_entry* entry = nullptr;
  while (archive_read_next_header(tar, &entry) == ARCHIVE_OK) {
    std::string content(static_cast<size_t>(archive_entry_size(entry)), '\0');
    archive_read_data(tar, content.data(), content.size());
    files[archive_entry_pathname(entry)] = archive_entry_filetype(entry) == AE_IFREG ? content : "?";
  }
  archive_read_free(tar);
  return files;
}

TEST(ModelArchiveTest, PacksASavedModelWithItsFolders) {
  TestDir dir;
  dir.Write("saved_model.pb", "graph");
  dir.Write("variables/variables.index", "index");
  dir.Write(".git/config", "hidden");
  auto archive = ModelArchive::Pack(dir.path(), "auto", std::nullopt);
  ASSERT_TRUE(archive.ok()) << archive.status().text();
  EXPECT_THAT(Unpack(archive->file()), UnorderedElementsAre(Pair("saved_model.pb", "graph"),
                                                            Pair("variables/variables.index", "index")));
  EXPECT_EQ(archive->files(), 2);
  EXPECT_EQ(archive->bytes(), 10u);
  EXPECT_FALSE(archive->version());
}

TEST(ModelArchiveTest, ASingleFileLeavesItsNeighboursAlone) {
  TestDir dir;
  dir.Write("a.onnx", "a");
  dir.Write("b.onnx", "b");
  auto archive = ModelArchive::Pack(dir / "a.onnx", "auto", std::nullopt);
  ASSERT_TRUE(archive.ok()) << archive.status().text();
  EXPECT_THAT(Unpack(archive->file()), UnorderedElementsAre(Pair("a.onnx", "a")));
}

TEST(ModelArchiveTest, TakesAVersionOfALayoutAndItsModelYaml) {
  TestDir dir;
  dir.Write("model.yaml", "engine: openvino\n");
  dir.Write("1/model.onnx", "one");
  dir.Write("00000003/model.onnx", "three");
  auto newest = ModelArchive::Pack(dir.path(), "auto", std::nullopt);
  ASSERT_TRUE(newest.ok()) << newest.status().text();
  EXPECT_EQ(newest->version(), 3);
  EXPECT_THAT(Unpack(newest->file()),
              UnorderedElementsAre(Pair("model.yaml", "engine: openvino\n"), Pair("model.onnx", "three")));
  auto first = ModelArchive::Pack(dir.path(), "auto", 1);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(Unpack(first->file()).at("model.onnx"), "one");
  auto missing = ModelArchive::Pack(dir.path(), "auto", 2);
  EXPECT_EQ(missing.status().code(), Code::kNotFound);
  EXPECT_THAT(missing.status().text(), HasSubstr("it has 1, 3"));
}

TEST(ModelArchiveTest, FollowsLinksAndStopsAtCycles) {
  TestDir dir;
  dir.Write("elsewhere/weights", "w");
  dir.Write("model/saved_model.pb", "graph");
  dir.Link("../elsewhere/weights", "model/weights");
  auto archive = ModelArchive::Pack(dir / "model", "auto", std::nullopt);
  ASSERT_TRUE(archive.ok()) << archive.status().text();
  EXPECT_EQ(Unpack(archive->file()).at("weights"), "w");
  dir.Link(".", "model/again");
  auto cyclic = ModelArchive::Pack(dir / "model", "auto", std::nullopt);
  EXPECT_THAT(cyclic.status().text(), HasSubstr("levels deep"));
}

TEST(ModelArchiveTest, RefusesWhatIsNoModel) {
  TestDir dir;
  dir.Write("notes.txt");
  auto unknown = ModelArchive::Pack(dir.path(), "auto", std::nullopt);
  EXPECT_EQ(unknown.status().code(), Code::kInvalidArgument);
  EXPECT_THAT(unknown.status().text(), HasSubstr("--engine"));
  EXPECT_TRUE(ModelArchive::Pack(dir.path(), "echo", std::nullopt).ok());
  EXPECT_EQ(ModelArchive::Pack(dir / "nowhere", "auto", std::nullopt).status().code(), Code::kNotFound);
  ASSERT_EQ(::mkfifo((dir / "pipe").c_str(), 0600), 0);
  EXPECT_THAT(ModelArchive::Pack(dir.path(), "echo", std::nullopt).status().text(),
              HasSubstr("not a regular file"));
}

TEST(ModelArchiveTest, LeavesNoFileBehind) {
  TestDir dir;
  dir.Write("saved_model.pb");
  std::string file;
  {
    auto archive = ModelArchive::Pack(dir.path(), "auto", std::nullopt);
    ASSERT_TRUE(archive.ok());
    file = archive->file();
    EXPECT_TRUE(os::Exists(file));
  }
  EXPECT_FALSE(os::Exists(file));
}

}  // namespace
}  // namespace snug::cli
