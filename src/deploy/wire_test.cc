#include "deploy/wire.h"

#include <gtest/gtest.h>

namespace snug::deploy {
namespace {

TEST(Wire, ARecordComesBack) {
  auto record = ParseRecord(RecordText({{42, 777}, "abc"}));
  ASSERT_TRUE(record.ok());
  EXPECT_EQ(record->process, (os::ProcessId{42, 777}));
  EXPECT_EQ(record->fingerprint, "abc");
}

TEST(Wire, DamagedTextIsAnError) {
  for (const char* text : {"", "{", "[]", "7", "null"}) {
    EXPECT_FALSE(ParseRecord(text).ok()) << text;
    EXPECT_FALSE(ParseReadyFile(text).ok()) << text;
  }
  for (const char* text : {"", "{", "{}", "[1]", "null"}) EXPECT_FALSE(ParseIndex(text).ok()) << text;
}

TEST(Wire, AReadyFileNeedsAllThree) {
  EXPECT_TRUE(ParseReadyFile(R"({"pid":3,"grpc_port":1,"rest_port":2})").ok());
  EXPECT_FALSE(ParseReadyFile(R"({"pid":3,"grpc_port":1})").ok());
  EXPECT_FALSE(ParseReadyFile(R"({"pid":3,"grpc_port":1,"rest_port":65536})").ok());
  EXPECT_FALSE(ParseReadyFile(R"({"pid":-3,"grpc_port":1,"rest_port":2})").ok());
}

TEST(Wire, TheIndexIsReadWithVersionsAsTextOrNumber) {
  auto index = ParseIndex(R"([{"name":"ocr","version":"3","state":"READY","memory_bytes":5,"description":"d"},
                             {"name":"x","version":2,"state":"LOADING"},{"name":"none loaded"},
                             {"name":"y","version":"1","state":"?","reason":"r"}])");
  ASSERT_TRUE(index.ok());
  ASSERT_EQ(index->size(), 3u);
  EXPECT_EQ((*index)[0].version, 3);
  EXPECT_EQ((*index)[0].state, IndexState::kReady);
  EXPECT_EQ((*index)[0].memory_bytes, 5u);
  EXPECT_EQ((*index)[1].state, IndexState::kLoading);
  EXPECT_EQ((*index)[2].state, IndexState::kUnavailable);
  EXPECT_EQ((*index)[2].reason, "r");
}

TEST(Wire, WhatTakesRequestsIsReady) {
  auto index = ParseIndex(R"([{"name":"a","version":1,"state":"STANDBY","takes_requests":true},
                             {"name":"b","version":1,"state":"LOADING","takes_requests":true},
                             {"name":"c","version":1,"state":"LOADING","takes_requests":false},
                             {"name":"d","version":1,"state":"LOADING","takes_requests":"yes"}])");
  ASSERT_TRUE(index.ok());
  EXPECT_EQ((*index)[0].state, IndexState::kReady);
  EXPECT_EQ((*index)[1].state, IndexState::kReady);
  EXPECT_EQ((*index)[2].state, IndexState::kLoading);
  EXPECT_EQ((*index)[3].state, IndexState::kLoading);
}

TEST(Wire, ErrorTextsAreFound) {
  EXPECT_EQ(ErrorText(R"({"error":"no such model"})"), "no such model");
  EXPECT_EQ(ErrorText("plain"), "plain");
  EXPECT_LE(ErrorText(std::string(100000, 'x')).size(), 2000u);
}

}  // namespace
}  // namespace snug::deploy
