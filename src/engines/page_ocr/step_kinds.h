// The kinds of steps there are, for MakeStep.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/status.h"
#include "engines/page_ocr/steps.h"

namespace snug::page_ocr {

// Each throws kit::Failure when the options are not its own.
std::unique_ptr<Step> MakeScale(std::string_view options_json);
std::unique_ptr<Step> MakeBoxes(std::string_view options_json);
std::unique_ptr<Step> MakeCut(std::string_view options_json);
std::unique_ptr<Step> MakeRead(const std::string& directory, std::string_view options_json);
std::unique_ptr<Step> MakeJoin(std::string_view options_json);

template <typename T>
T ValueOf(Result<T> result) {
  if (!result.ok())
    throw kit::Failure(static_cast<snug_code>(result.status().code()), result.status().text());
  return std::move(result).value();
}

}  // namespace snug::page_ocr
