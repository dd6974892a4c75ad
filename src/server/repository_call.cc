#include "server/repository_call.h"

#include <utility>

#include "server/base64.h"
#include "server/json_reader.h"
#include "server/triton_config.h"

namespace snug::server {
namespace {

constexpr size_t kKeyShownMax = 128;

// "version" as a string or a number.
void ReadVersion(JsonReader& json, std::string& version) {
  int64_t number = 0;
  if (json.Peek() == '"') {
    json.String(version);
  } else if (json.Int(number)) {
    version = std::to_string(number);
  }
}

void ReadFile(JsonReader& json, const std::string& key, RepositoryCall& call) {
  std::string text;
  if (!json.String(text)) return;
  if (!DecodeBase64(text, call.files[key.substr(kFileParameter.size())]))
    json.Fail("\"" + key.substr(0, kKeyShownMax) + "\" is not valid base64");
}

void ReadParameters(JsonReader& json, RepositoryCall& call) {
  std::string key;
  for (json.BeginObject(); json.Key(key);) {
    if (key == "version") {
      ReadVersion(json, call.version);
    } else if (key == "wait") {
      json.Bool(call.wait);
    } else if (key == "config") {
      json.String(call.config);
    } else if (key.starts_with(kFileParameter)) {
      ReadFile(json, key, call);
    } else if (key == "unload_dependents") {
      json.Skip();  // there are none
    } else {
      json.Fail(UnknownRepositoryParameter(key));
    }
  }
}

}  // namespace

std::string UnknownRepositoryParameter(std::string_view key) {
  return fmt::format(
      "unknown parameter \"{}\"; known are version, wait, config, file:VERSION/NAME and unload_dependents",
      key.substr(0, kKeyShownMax));
}

Result<RepositoryCall> ParseRepositoryCall(std::string_view body) {
  RepositoryCall call;
  JsonReader json(body);
  if (json.AtEnd()) return call;
  std::string key;
  for (json.BeginObject(); json.Key(key);) {
    if (key == "parameters") {
      ReadParameters(json, call);
    } else if (key == "ready") {
      json.Bool(call.only_ready);
    } else {
      json.Skip();
    }
  }
  SNUG_RETURN_IF_ERROR(json.Finish());
  return call;
}

void LoadModel(serving::ModelManager& models, const std::string& model, RepositoryCall call,
               serving::ModelManager::Done done) {
  serving::LoadOverride changes;
  if (!call.config.empty()) {
    changes.configure = [config = std::move(call.config), model](repository::ModelConfig& own) {
      return ApplyTritonConfig(config, model, own);
    };
  } else if (!call.files.empty()) {
    return done(InvalidArgument(
        "failed to load '{}', files need the parameter \"config\" beside them, at least \"{{}}\"", model));
  }
  changes.files = std::move(call.files);
  models.LoadChanged(std::move(changes), model, std::move(call.version), call.wait, std::move(done));
}

void UnloadModel(serving::ModelManager& models, const std::string& model, RepositoryCall call,
                 serving::ModelManager::Done done) {
  models.Unload(model, std::move(call.version), call.wait, std::move(done));
}

}  // namespace snug::server
