// The commands against a fake controller and front door.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <mutex>
#include <sstream>

#include "cli/commands.h"
#include "cli/exit_code.h"
#include "cli/json_access.h"
#include "net/http_server.h"
#include "os/files.h"
#include "repository/test_dir.h"

namespace snug::cli {
namespace {

using repository::TestDir;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

struct Ran {
  int code = 0;
  std::string out;
  std::string err;
};

Ran RunSnug(const std::vector<std::string>& arguments, const std::string& input = "") {
  std::ostringstream out;
  std::ostringstream err;
  std::istringstream in(input);
  Terminal terminal{out, err, in};
  int code = Run(arguments, {{"HOME", "/nonexistent"}}, terminal);
  return {code, out.str(), err.str()};
}

// Answers by "METHOD /path"; what it was asked is kept.
class FakePlatform {
 public:
  FakePlatform() {
    net::HttpServerOptions options;
    options.upload_dir = uploads_.path();
    options.upload = [](std::string_view method, std::string_view target) {
      return method == "POST" && target.find("/versions") != std::string_view::npos &&
             target.starts_with("/api");
    };
    auto started = net::HttpServer::Start(
        options, [this](net::Request&& request, const net::Responder& respond) { respond(Answer(request)); });
    EXPECT_TRUE(started.ok());
    server_ = std::move(*started);
    door_ = "127.0.0.1:" + std::to_string(server_->port());
    On("GET /api/v1/status", 200,
       {{"api", api()},
        {"front_door", door_},
        {"state_dir", "/s"},
        {"version", "9"},
        {"ready", true},
        {"models", {{"READY", 1}, {"FAILED", 0}}},
        {"warnings", {"the disk is nearly full"}},
        {"processes", {{{"name", "front-door"}, {"pid", 12}, {"state", "READY"}, {"restarts", 0}}}}});
  }

  void On(const std::string& what, int status, const Json& body) { OnText(what, status, Dump(body)); }
  void OnText(const std::string& what, int status, const std::string& body) {
    std::lock_guard lock(mutex_);
    answers_[what] = {.status = status, .body = body};
  }
  void OnError(const std::string& what, int status, const std::string& code, const std::string& text) {
    On(what, status, {{"error", {{"code", code}, {"message", text}}}});
  }

  std::string api() const { return "http://" + door_; }
  // "POST /v1/predict/ocr?x=1", in order, without GET /api/v1/status
  std::vector<std::string> asked() const {
    std::lock_guard lock(mutex_);
    return asked_;
  }
  net::Request last() const {
    std::lock_guard lock(mutex_);
    return last_;
  }
  Ran Snug(std::vector<std::string> arguments, const std::string& input = "") const {
    arguments.insert(arguments.end(), {"--api", api()});
    return RunSnug(arguments, input);
  }

 private:
  net::Response Answer(const net::Request& request) {
    std::lock_guard lock(mutex_);
    std::string what = request.method + " " + request.path;
    if (what != "GET /api/v1/status") {
      asked_.push_back(request.method + " " + request.target);
      last_ = request;
    }
    auto found = answers_.find(what);
    if (found != answers_.end()) return found->second;
    return {.status = 404,
            .body = R"({"error":{"code":"NOT_FOUND","message":"model \"x\" is not deployed here"}})"};
  }

  TestDir uploads_;
  mutable std::mutex mutex_;
  std::map<std::string, net::Response> answers_;
  std::vector<std::string> asked_;
  net::Request last_;
  std::string door_;
  std::unique_ptr<net::HttpServer> server_;
};

Json Model(const std::string& state) {
  return {{"name", "ocr"},
          {"engine", "openvino"},
          {"parser", ""},
          {"state", state},
          {"reason", ""},
          {"share", 0.1},
          {"copies_wanted", 2},
          {"copies_ready", 1},
          {"groups", {"g1"}},
          {"route_mode", "automatic"},
          {"route", {{{"version", 3}, {"weight", 100}}}},
          {"versions",
           {{{"version", 3},
             {"label", "stable"},
             {"state", state},
             {"reason", "no such layer"},
             {"engine", "openvino"},
             {"parser", ""},
             {"bytes", 5}}}},
          {"copies",
           {{{"version", 3},
             {"group", "g1"},
             {"server", "g1-0"},
             {"state", "READY"},
             {"description", "OpenVINO CPU"},
             {"placed_because", "no group fits; there is no group"}}}}};
}

const char kMetadata[] = R"({"name":"ocr","inputs":[{"name":"x","datatype":"FP32","shape":[-1,2]},
  {"name":"t","datatype":"BYTES","shape":[1]}],"outputs":[{"name":"y","datatype":"FP32","shape":[-1,2]}]})";

TEST(CommandsTest, ModelsAreATable) {
  FakePlatform platform;
  platform.On("GET /api/v1/models", 200, {{"models", {Model("READY")}}});
  Ran ran = platform.Snug({"models"});
  EXPECT_EQ(ran.code, kExitOk);
  EXPECT_EQ(ran.out,
            "NAME  VERSION     ENGINE    PARSER  STATE  READY  GROUP  SHARE\n"
            "ocr   3 (stable)  openvino  -       READY    1/2  g1      0.10\n");
  EXPECT_EQ(Json::parse(platform.Snug({"models", "--json"}).out)["models"].size(), 1u);
}

TEST(CommandsTest, NoModelsTeachHowToDeploy) {
  FakePlatform platform;
  platform.On("GET /api/v1/models", 200, {{"models", Json::array()}});
  EXPECT_THAT(platform.Snug({"models"}).out, HasSubstr("snug deploy"));
}

TEST(CommandsTest, OneModelInFull) {
  FakePlatform platform;
  platform.On("GET /api/v1/models/ocr", 200, Model("READY"));
  Ran ran = platform.Snug({"models", "ocr"});
  EXPECT_THAT(ran.out, HasSubstr("OpenVINO CPU"));
  EXPECT_THAT(ran.out, HasSubstr("100"));
  EXPECT_THAT(ran.out, HasSubstr("version 3 stands in g1: no group fits; there is no group\n"));
}

TEST(CommandsTest, StatusShowsProcessesAndWarnings) {
  FakePlatform platform;
  Ran ran = platform.Snug({"status"});
  EXPECT_EQ(ran.code, kExitOk);
  EXPECT_THAT(ran.out, HasSubstr("front-door   12  READY"));
  EXPECT_THAT(ran.out, HasSubstr("1 READY\n"));
  EXPECT_THAT(ran.out, HasSubstr("warning: the disk is nearly full"));
}

TEST(CommandsTest, ExitStatusesTellErrorsApart) {
  FakePlatform platform;
  Ran missing = platform.Snug({"scale", "x", "2"});
  EXPECT_EQ(missing.code, kExitNotFound);
  EXPECT_THAT(missing.err, HasSubstr("model \"x\" is not deployed here"));
  platform.OnError("POST /api/v1/models/x/scale", 400, "INVALID_ARGUMENT", "no");
  EXPECT_EQ(platform.Snug({"scale", "x", "2"}).code, kExitFailed);
  EXPECT_EQ(platform.Snug({"scale", "x"}).code, kExitUsage);
}

TEST(CommandsTest, ErrorsAreJsonWhenAskedFor) {
  FakePlatform platform;
  Ran ran = platform.Snug({"models", "x", "--json"});
  EXPECT_EQ(ran.out, "");
  EXPECT_EQ(Json::parse(ran.err)["error"]["code"], "NOT_FOUND");
}

TEST(CommandsTest, WithoutAPlatformSaysHowToStartOne) {
  TestDir dir;
  Ran ran = RunSnug({"status", "--state", dir.path()});
  EXPECT_EQ(ran.code, kExitNotRunning);
  EXPECT_THAT(ran.err, HasSubstr("start it with `snug up --state " + dir.path()));
  EXPECT_EQ(RunSnug({"status", "--api", "http://127.0.0.1:1"}).code, kExitNotRunning);
}

TEST(CommandsTest, TheAddressComesFromTheStateDirectory) {
  FakePlatform platform;
  TestDir dir;
  dir.Write("controller.json", Dump({{"pid", 1}, {"api", platform.api()}, {"front_door", ""}}));
  EXPECT_EQ(RunSnug({"status", "--state", dir.path()}).code, kExitOk);
}

TEST(CommandsTest, TheTokenIsSentAndNeverShown) {
  FakePlatform platform;
  TestDir dir;
  dir.Write("token", "secret\n");
  platform.OnError("GET /api/v1/models/m", 401, "UNAUTHENTICATED", "no");
  Ran ran = platform.Snug({"models", "m", "--token-file", dir / "token"});
  EXPECT_EQ(platform.last().Header("Authorization"), "Bearer secret");
  EXPECT_EQ(ran.code, kExitFailed);
  EXPECT_THAT(ran.err, HasSubstr("--token-file"));
  EXPECT_THAT(ran.err, Not(HasSubstr("secret")));
}

TEST(CommandsTest, TheCurlThatUpSuggestsReadsTheTokenFromItsFile) {
  EXPECT_EQ(CurlCommand("http://h/api", ""), "curl http://h/api");
  TestDir dir;
  for (const char* file : {"0123456789abcdef\n", "ann:0123456789abcdef\nbob:fedcba9876543210\n",
                           "# tokens: two\nann:0123456789abcdef\n"}) {
    dir.Write("token", file);
    std::string curl = CurlCommand("http://h/api", dir / "token");
    EXPECT_THAT(curl, Not(HasSubstr("0123456789abcdef")));
    dir.Write("try.sh", "set -- " + curl + "; printf '%s|%s|%s' \"$2\" \"$3\" \"$4\" >" + (dir / "said"));
    ASSERT_EQ(std::system(("sh " + (dir / "try.sh")).c_str()), 0);
    EXPECT_EQ(os::ReadFile(dir / "said", 4096).value(),
              "-H|Authorization: Bearer 0123456789abcdef|http://h/api")
        << file;
  }
}

TEST(CommandsTest, DeployUploadsWaitsAndTeaches) {
  FakePlatform platform;
  TestDir dir;
  dir.Write("m/model.onnx", "bytes");
  platform.On("POST /api/v1/models/ocr/versions", 201,
              {{"name", "ocr"}, {"version", 3}, {"warnings", {"no cgroup"}}, {"files", 1}, {"bytes", 5}});
  platform.On("GET /api/v1/models/ocr", 200, Model("READY"));
  platform.OnText("GET /v2/models/ocr/versions/3", 200, kMetadata);
  Ran ran = platform.Snug({"deploy", dir / "m", "--name", "ocr", "--copies", "2", "--label", "a b"});
  EXPECT_EQ(ran.code, kExitOk) << ran.err;
  EXPECT_EQ(platform.asked()[0], "POST /api/v1/models/ocr/versions?copies=2&label=a%20b");
  EXPECT_THAT(platform.asked()[1], HasSubstr("version=3"));
  EXPECT_THAT(ran.out, HasSubstr("ready: ocr version 3 on OpenVINO CPU"));
  EXPECT_THAT(ran.out, HasSubstr("input   x     FP32   [-1,2]"));
  EXPECT_THAT(ran.out, HasSubstr("snug predict ocr --zeros"));
  EXPECT_THAT(ran.err, HasSubstr("warning: no cgroup"));
}

TEST(CommandsTest, DeployTellsAFailedModelFromASlowOne) {
  FakePlatform platform;
  TestDir dir;
  dir.Write("m/model.onnx", "bytes");
  std::vector<std::string> deploy{"deploy", dir / "m", "--name", "ocr", "--wait", "0.01"};
  platform.On("POST /api/v1/models/ocr/versions", 201, {{"name", "ocr"}, {"version", 3}});
  platform.On("GET /api/v1/models/ocr", 200, Model("FAILED"));
  Ran failed = platform.Snug(deploy);
  EXPECT_EQ(failed.code, kExitFailed);
  EXPECT_THAT(failed.err, HasSubstr("no such layer"));
  platform.On("GET /api/v1/models/ocr", 200, Model("LOADING"));
  Ran slow = platform.Snug(deploy);
  EXPECT_EQ(slow.code, kExitNotReady);
  EXPECT_THAT(slow.err, HasSubstr("snug logs ocr"));
  platform.OnError("POST /api/v1/models/ocr/versions", 409, "ALREADY_EXISTS", "version 3 exists");
  EXPECT_THAT(platform.Snug(deploy).err, HasSubstr("version 3 exists"));
}

TEST(CommandsTest, DeployNamesTheModelAfterItsPath) {
  FakePlatform platform;
  TestDir dir;
  dir.Write("resnet/7/model.onnx", "bytes");
  platform.On("POST /api/v1/models/resnet/versions", 201, {{"name", "resnet"}, {"version", 7}});
  EXPECT_EQ(platform.Snug({"deploy", dir / "resnet", "--wait", "0"}).code, kExitOk);
  EXPECT_THAT(platform.asked(), ElementsAre("POST /api/v1/models/resnet/versions?version=7"));
}

TEST(CommandsTest, DeployOfNothingUploadsNothing) {
  FakePlatform platform;
  TestDir dir;
  dir.Write("notes.txt");
  EXPECT_EQ(platform.Snug({"deploy", dir.path(), "--name", "m"}).code, kExitFailed);
  EXPECT_EQ(platform.Snug({"deploy", dir / "nowhere", "--name", "m"}).code, kExitNotFound);
  EXPECT_THAT(platform.asked(), IsEmpty());
}

TEST(CommandsTest, PredictSendsAPayloadToTheParser) {
  FakePlatform platform;
  TestDir dir;
  dir.Write("line.PNG", "pixels");
  platform.OnText("POST /v1/predict/ocr/versions/stable", 200, R"({"text":"hello"})");
  Ran ran = platform.Snug(
      {"predict", "ocr", "--version", "stable", "--file", dir / "line.PNG", "--param", "k=a b", "--time"});
  EXPECT_EQ(ran.code, kExitOk) << ran.err;
  EXPECT_EQ(ran.out, "{\"text\":\"hello\"}\n");
  EXPECT_THAT(ran.err, HasSubstr("answered in"));
  EXPECT_THAT(platform.asked(), ElementsAre("POST /v1/predict/ocr/versions/stable?k=a%20b"));
  EXPECT_EQ(platform.last().Header("Content-Type"), "image/png");
  EXPECT_EQ(platform.last().body, "pixels");
}

TEST(CommandsTest, PredictSendsTensorsAsKServe) {
  FakePlatform platform;
  platform.OnText(
      "POST /v2/models/m/infer", 200,
      R"({"outputs":[{"name":"y","datatype":"FP32","shape":[1,9],"data":[[1,2.5,3,4,5,6,7,8,9]]}]})");
  Ran ran = platform.Snug({"predict", "m", "-"},
                          R"({"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1]}]})");
  EXPECT_EQ(ran.out,
            "OUTPUT  TYPE  SHAPE  VALUES\n"
            "y       FP32  [1,9]  1 2.5 3 4 5 6 7 8 …\n");
}

TEST(CommandsTest, ZerosFitTheModel) {
  FakePlatform platform;
  platform.OnText("GET /v2/models/m", 200, kMetadata);
  platform.OnText("POST /v2/models/m/infer", 200, R"({"outputs":[]})");
  Ran ran = platform.Snug({"predict", "m", "--zeros", "--shape", "x=2,2", "--json"});
  EXPECT_EQ(ran.code, kExitOk) << ran.err;
  EXPECT_EQ(platform.last().body,
            R"({"inputs":[{"data":[0,0,0,0],"datatype":"FP32","name":"x","shape":[2,2]},)"
            R"({"data":[""],"datatype":"BYTES","name":"t","shape":[1]}]})");
  EXPECT_EQ(platform.Snug({"predict", "m", "--zeros", "--shape", "x=2,3"}).code, kExitFailed);
  EXPECT_EQ(platform.Snug({"predict", "m", "--zeros", "--shape", "z=1"}).code, kExitNotFound);
  EXPECT_THAT(platform.Snug({"predict", "m", "--zeros", "--shape", "x=9999999,2"}).err,
              HasSubstr("elements"));
}

TEST(CommandsTest, PredictErrorsSayWhatToDo) {
  FakePlatform platform;
  EXPECT_EQ(platform.Snug({"predict", "m"}).code, kExitUsage);
  platform.OnText("POST /v1/predict/m", 404, R"({"error":"model \"m\" is not deployed here"})");
  Ran missing = platform.Snug({"predict", "m", "--data", "x"});
  EXPECT_EQ(missing.code, kExitNotFound);
  EXPECT_THAT(missing.err, HasSubstr("`snug models` lists"));
  platform.OnText("POST /v1/predict/m", 503, R"({"error":"model \"m\" is loading"})");
  EXPECT_EQ(platform.Snug({"predict", "m", "--data", "x"}).code, kExitNotReady);
  platform.OnText("POST /v1/predict/m", 400, "no JSON");
  EXPECT_THAT(platform.Snug({"predict", "m", "--data", "x"}).err, HasSubstr("no JSON"));
  EXPECT_EQ(RunSnug({"predict", "m", "--data", "x", "--front-door", "127.0.0.1:1"}).code, kExitNotRunning);
}

TEST(CommandsTest, MeasureAsksOnceAndThenForEachRow) {
  FakePlatform platform;
  platform.OnText("POST /v1/predict/m", 200, "y");
  Ran ran =
      platform.Snug({"measure", "m", "--data", "x", "--param", "k=v", "--clients", "1,3", "--requests", "5"});
  EXPECT_EQ(ran.code, kExitOk) << ran.err;
  EXPECT_THAT(ran.out, testing::ContainsRegex("clients +answers/s +p50 ms.*\n +1 .* 0\n +3 .* 0\n$"));
  EXPECT_EQ(platform.asked(), std::vector<std::string>(11, "POST /v1/predict/m?k=v"));
  EXPECT_EQ(platform.last().body, "x");
  EXPECT_EQ(platform.last().Header("Content-Type"), "text/plain");
}

TEST(CommandsTest, MeasureAsJson) {
  FakePlatform platform;
  platform.OnText("POST /v1/predict/m", 200, "y");
  Ran ran = platform.Snug({"measure", "m", "--data", "x", "--clients", "2", "--requests", "4", "--json"});
  const Json rows = Json::parse(ran.out).at("rows");
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].at("clients"), 2);
  EXPECT_EQ(rows[0].at("answers"), 4);
  EXPECT_GT(rows[0].at("answers_per_s").get<double>(), 0);
  EXPECT_LE(rows[0].at("p50_ms").get<double>(), rows[0].at("max_ms").get<double>());
}

TEST(CommandsTest, MeasureErrorsAreThoseOfPredict) {
  FakePlatform platform;
  EXPECT_EQ(platform.Snug({"measure", "m"}).code, kExitUsage);
  EXPECT_EQ(platform.Snug({"measure", "m", "--data", "x"}).code, kExitNotFound);
  EXPECT_EQ(platform.asked().size(), 1u);
  EXPECT_EQ(RunSnug({"measure", "m", "--data", "x", "--front-door", "127.0.0.1:1"}).code, kExitNotRunning);
}

TEST(CommandsTest, RouteShowsAndSets) {
  FakePlatform platform;
  platform.On("GET /api/v1/models/ocr", 200, Model("READY"));
  EXPECT_THAT(platform.Snug({"route", "ocr"}).out, HasSubstr("version 3  weight 100  100.0 %"));
  platform.On("PUT /api/v1/models/ocr/route", 200,
              {{{"version", 3}, {"weight", 3}}, {{"version", 4}, {"weight", 1}}});
  EXPECT_THAT(platform.Snug({"route", "ocr", "3=3", "4=1"}).out, HasSubstr("version 4  weight 1  25.0 %"));
  EXPECT_EQ(platform.last().body, R"([{"version":3,"weight":3},{"version":4,"weight":1}])");
  platform.Snug({"route", "ocr", "--auto"});
  EXPECT_EQ(platform.last().body, "[]");
}

TEST(CommandsTest, UndeployWaitsUntilItIsGone) {
  FakePlatform platform;
  platform.On("DELETE /api/v1/models/ocr", 200, Model("REMOVING"));
  EXPECT_EQ(platform.Snug({"undeploy", "ocr"}).out, "ocr is removed\n");
  platform.On("GET /api/v1/models/ocr", 200, Model("REMOVING"));
  EXPECT_EQ(platform.Snug({"undeploy", "ocr", "--wait", "0.05"}).code, kExitNotReady);
}

TEST(CommandsTest, LogsNameTheirServersWhenThereAreSeveral) {
  FakePlatform platform;
  platform.On("GET /api/v1/models/ocr/logs", 200, {{"logs", {{{"server", "g1-0"}, {"text", "a\n"}}}}});
  EXPECT_EQ(platform.Snug({"logs", "ocr", "--lines", "5"}).out, "a\n");
  EXPECT_THAT(platform.asked(), ElementsAre("GET /api/v1/models/ocr/logs?lines=5"));
}

TEST(CommandsTest, RubbishFromTheControllerIsAnError) {
  FakePlatform platform;
  platform.OnText("GET /api/v1/models", 200, "<html>");
  EXPECT_EQ(platform.Snug({"models"}).code, kExitFailed);
  platform.OnText("GET /api/v1/models", 200, R"({"models":[1,{"name":3,"versions":{"a":1}}]})");
  EXPECT_EQ(platform.Snug({"models"}).code, kExitOk);
}

}  // namespace
}  // namespace snug::cli
