#include "cli/arguments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/exit_code.h"

namespace snug::cli {
namespace {

using testing::HasSubstr;
using testing::Pair;
using testing::UnorderedElementsAre;

using Words = std::vector<std::string>;

Parsed ParseGood(const Words& words,
                 const std::map<std::string, std::string>& environment = {{"HOME", "/home/me"}}) {
  auto result = Parse(words, environment);
  const auto* stop = std::get_if<Stop>(&result);
  EXPECT_EQ(stop, nullptr) << stop->err;
  return std::get<Parsed>(result);
}

std::string ParseBad(const Words& words) {
  auto result = Parse(words, {});
  const auto* stop = std::get_if<Stop>(&result);
  EXPECT_NE(stop, nullptr) << "was accepted";
  if (stop == nullptr) return "";
  EXPECT_EQ(stop->exit_code, kExitUsage);
  return stop->err;
}

TEST(ArgumentsTest, DeployHasTheLimitsOfModels) {
  ParseGood({"deploy", "d", "--threads", "256", "--instances", "64", "--queue-limit", "65536"});
  EXPECT_THAT(ParseBad({"deploy", "d", "--threads", "257"}), HasSubstr("--threads"));
  EXPECT_THAT(ParseBad({"deploy", "d", "--instances", "65"}), HasSubstr("--instances"));
  EXPECT_THAT(ParseBad({"deploy", "d", "--queue-limit", "65537"}), HasSubstr("--queue-limit"));
}

TEST(ArgumentsTest, DeployCarriesWhatWasGivenAndNothingElse) {
  auto parsed = ParseGood({"deploy",          "./dir",     "--name",      "ocr",      "--engine",  "openvino",
                           "--copies",        "2",         "--precision", "bf16",     "--onednn",  "off",
                           "--option",        "streams=3", "--option",    "note=a b", "--version", "0007",
                           "--parser-option", "top_k=2"});
  const auto& deploy = std::get<DeployOptions>(parsed.command);
  EXPECT_EQ(deploy.path, "./dir");
  EXPECT_EQ(deploy.name, "ocr");
  EXPECT_EQ(deploy.version, 7);
  EXPECT_THAT(deploy.query,
              UnorderedElementsAre(
                  Pair("engine", "openvino"), Pair("copies", "2"),
                  Pair("engine_options", R"({"note":"a b","onednn":false,"precision":"bf16","streams":3})"),
                  Pair("parser_options", R"({"top_k":2})")));
}

TEST(ArgumentsTest, DeployPassesWishesOfPlacementOn) {
  auto parsed = ParseGood({"deploy", "./dir", "--sharing", "guaranteed", "--keep-apart", "a,b", "--pin", ""});
  EXPECT_THAT(std::get<DeployOptions>(parsed.command).query,
              UnorderedElementsAre(Pair("sharing", "guaranteed"), Pair("keep_apart", "a,b"),
                                   Pair("pinned_groups", "")));
  EXPECT_THAT(ParseBad({"deploy", "./dir", "--sharing", "both"}), HasSubstr("guaranteed"));
}

TEST(ArgumentsTest, UpPassesPlacementOn) {
  auto parsed = ParseGood(
      {"up", "--policy", "best-fit", "--limit", "0.8", "--group-cores", "1.5", "--memory-mib", "4096"});
  EXPECT_THAT(std::get<UpOptions>(parsed.command).controller_options,
              UnorderedElementsAre(Pair("--policy", "best-fit"), Pair("--limit", "0.8"),
                                   Pair("--group-cores", "1.5"), Pair("--memory-mib", "4096")));
  EXPECT_THAT(ParseBad({"up", "--limit", "5"}), HasSubstr("0.01"));
  EXPECT_THAT(ParseBad({"up", "--group-cores", "many"}), HasSubstr("--group-cores"));
}

TEST(ArgumentsTest, GlobalsMayFollowTheSubcommand) {
  auto parsed = ParseGood({"models", "--json", "--api", "http://there:1/"});
  EXPECT_TRUE(parsed.globals.json);
  EXPECT_EQ(parsed.globals.api, "http://there:1");
  EXPECT_TRUE(std::holds_alternative<ModelsOptions>(parsed.command));
}

TEST(ArgumentsTest, TheStateDirectoryHasOneName) {
  EXPECT_EQ(ParseGood({"status"}).globals.state, "/home/me/.local/share/snug");
  EXPECT_EQ(ParseGood({"status"}, {{"SNUG_STATE", "/a/../b/"}, {"HOME", "/h"}}).globals.state, "/b");
  EXPECT_EQ(ParseGood({"status", "--state", "/a//b/./c/"}).globals.state, "/a/b/c");
}

TEST(ArgumentsTest, AnAddressInTheEnvironmentYieldsToANamedStateDirectory) {
  std::map<std::string, std::string> environment{{"SNUG_API", "http://there:1"}, {"HOME", "/h"}};
  EXPECT_EQ(ParseGood({"status"}, environment).globals.api, "http://there:1");
  EXPECT_EQ(ParseGood({"status", "--state", "/s"}, environment).globals.api, "");
  EXPECT_EQ(ParseGood({"status", "--api", "http://here:2"}, environment).globals.api, "http://here:2");
}

TEST(ArgumentsTest, PredictTakesOneInput) {
  auto parsed = ParseGood({"predict", "ocr", "-", "--param", "top_k=3", "--time"});
  EXPECT_EQ(std::get<PredictOptions>(parsed.command).file, "-");
  auto zeros = ParseGood({"predict", "m", "--zeros", "--shape", "x=1,3,8"});
  EXPECT_EQ(std::get<PredictOptions>(zeros.command).shapes.at("x"), (std::vector<int64_t>{1, 3, 8}));
  ParseBad({"predict", "m", "--zeros", "--data", "1"});
  EXPECT_THAT(ParseBad({"predict", "m", "--zeros", "--shape", "x=1,a"}), HasSubstr("INPUT=DIM"));
}

TEST(ArgumentsTest, MeasureTakesClientsAndAnInput) {
  auto parsed = ParseGood({"measure", "m", "--zeros", "--clients", "1,8", "--seconds", "0.5"});
  const auto& options = std::get<MeasureOptions>(parsed.command);
  EXPECT_EQ(options.clients, (std::vector<int>{1, 8}));
  EXPECT_EQ(options.seconds, 0.5);
  EXPECT_TRUE(options.call.zeros);
  EXPECT_EQ(std::get<MeasureOptions>(ParseGood({"measure", "m", "--zeros"}).command).clients,
            (std::vector<int>{1, 4}));
  ParseBad({"measure", "m", "--zeros", "--clients", "0"});
  ParseBad({"measure", "m", "--zeros", "--clients", "1,x"});
}

TEST(ArgumentsTest, RouteTakesWeightsOrAuto) {
  auto parsed = ParseGood({"route", "m", "3=90", "4:10"});
  EXPECT_EQ(std::get<RouteOptions>(parsed.command).weights,
            (std::vector<std::pair<int64_t, int>>{{3, 90}, {4, 10}}));
  EXPECT_TRUE(std::get<RouteOptions>(ParseGood({"route", "m", "--auto"}).command).automatic);
  EXPECT_THAT(ParseBad({"route", "m", "3=x"}), HasSubstr("VERSION=WEIGHT"));
  ParseBad({"route", "m", "3=1", "--auto"});
}

#ifdef SNUG_WITH_SIMULATE
TEST(ArgumentsTest, SimulateKeepsItsArgumentsToItself) {
  auto parsed = ParseGood({"simulate", "alloc", "--json", "--help", "-x", "--", "y"});
  EXPECT_THAT(std::get<SimulateOptions>(parsed.command).arguments,
              testing::ElementsAre("alloc", "--json", "--help", "-x", "--", "y"));
  EXPECT_THAT(std::get<SimulateOptions>(ParseGood({"simulate", "--help"}).command).arguments,
              testing::ElementsAre("--help"));
}
#endif

TEST(ArgumentsTest, SaysWhatIsWrong) {
  EXPECT_THAT(ParseBad({"deploy", "d", "--name", "../x"}), HasSubstr("--name"));
  EXPECT_THAT(ParseBad({"scale", "m", "99"}), HasSubstr("99 not in range 0 to 32"));
  EXPECT_THAT(ParseBad({"deploy", "d", "--option", "novalue"}), HasSubstr("KEY=VALUE"));
  EXPECT_THAT(ParseBad({"deploy", "d", "--version", "0"}), HasSubstr("--version"));
  EXPECT_NE(ParseBad({"fly"}), "");
  EXPECT_NE(ParseBad({}), "");
}

TEST(ArgumentsTest, EverySubcommandTeachesByExamples) {
  for (const char* name : {"up", "down", "deploy", "predict", "models", "scale", "route", "undeploy",
                           "status", "logs", "version"}) {
    auto result = Parse({name, "--help"}, {});
    const auto* stop = std::get_if<Stop>(&result);
    ASSERT_NE(stop, nullptr) << name;
    EXPECT_EQ(stop->exit_code, kExitOk);
    size_t examples = stop->out.find("Examples:\n  snug " + std::string(name));
    ASSERT_NE(examples, std::string::npos) << stop->out;
    EXPECT_NE(stop->out.find("\n  snug " + std::string(name), examples + 11), std::string::npos) << stop->out;
  }
}

}  // namespace
}  // namespace snug::cli
