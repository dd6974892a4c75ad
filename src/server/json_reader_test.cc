#include "server/json_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/json_writer.h"

namespace snug::server {
namespace {

using testing::HasSubstr;

Status SkipAll(std::string_view text) {
  JsonReader json(text);
  json.Skip();
  return json.Finish();
}

TEST(JsonReader, TakesWhatIsJson) {
  for (const char* text :
       {"{}", "[]", " [1, -2.5e3 ,true,false,null,\"\"] ", R"({"a":{"b":[[],{}]}})", "\"\\u00e9\"", "0"}) {
    EXPECT_TRUE(SkipAll(text).ok()) << text << SkipAll(text).text();
  }
}

TEST(JsonReader, RefusesWhatIsNotAndSaysWhere) {
  struct {
    std::string text;
    const char* error;
  } cases[] = {{"", "ends too early (at byte 0)"},
               {"{", "ends too early"},
               {"[1", "ends too early"},
               {"[1,]", "not a JSON value (at byte 3)"},
               {"[1 2]", "expected ','"},
               {"{\"a\" 1}", "expected ':'"},
               {"{a:1}", "expected a JSON string"},
               {"[1]x", "something follows"},
               {"nul", "not a JSON value"},
               {"\"a", "ends within a string"},
               {"\"\\x\"", "unknown escape"},
               {"\"\\u12\"", "ends within"},
               {"\"\\ud800\"", "surrogate"},
               {"\"\\udc00\"", "surrogate"},
               {"\"\n\"", "control character"},
               {"NaN", "not a JSON value"},
               {std::string(100, '['), "nested too deeply"}};
  for (const auto& c : cases) EXPECT_THAT(SkipAll(c.text).text(), HasSubstr(c.error)) << c.text;
}

TEST(JsonReader, Strings) {
  JsonReader json(R"("a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00")");
  std::string value;
  ASSERT_TRUE(json.String(value));
  EXPECT_EQ(value, "a\"\\/\b\f\n\r\t\xc3\xa9\xf0\x9f\x98\x80");
}

TEST(JsonReader, Integers) {
  for (const char* text : {"1.5", "1e3", "9223372036854775808", "x", "\"1\""}) {
    JsonReader json(text);
    int64_t value = 0;
    EXPECT_FALSE(json.Int(value)) << text;
  }
  JsonReader json("-9223372036854775808");
  int64_t value = 0;
  ASSERT_TRUE(json.Int(value));
  EXPECT_EQ(value, INT64_MIN);
}

TEST(JsonWriter, EscapesAndReplaces) {
  JsonWriter json;
  json.BeginObject()
      .Key("a\"")
      .Value("\x01\xff\xc3\xa9\n")
      .Key("n")
      .BeginArray()
      .Value(-1)
      .Value(true)
      .EndArray();
  json.EndObject();
  EXPECT_EQ(json.Take(), "{\"a\\\"\":\"\\u0001\xef\xbf\xbd\xc3\xa9\\n\",\"n\":[-1,true]}");
}

}  // namespace
}  // namespace snug::server
