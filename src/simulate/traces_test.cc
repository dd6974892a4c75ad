#include "simulate/traces.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include "simulate/csv.h"
#include "simulate/gzip.h"
#include "simulate/options.h"
#include "simulate/synth.h"

namespace snug::simulate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string Gzip(const std::string& text) {
  std::string out(text.size() + 128, '\0');
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

TEST(GzipTest, ReadsPlainPackedAndSeveralMembers) {
  EXPECT_EQ(*UnpackMaybeGzip("a,b\n"), "a,b\n");
  EXPECT_EQ(*UnpackMaybeGzip(Gzip("a,b\n")), "a,b\n");
  EXPECT_EQ(*UnpackMaybeGzip(Gzip("a") + Gzip("b")), "ab");
}

TEST(GzipTest, BrokenOrHugeIsAnError) {
  std::string packed = Gzip(std::string(100000, 'x'));
  EXPECT_EQ(UnpackMaybeGzip(packed.substr(0, packed.size() / 2)).status().code(), Code::kDataLoss);
  EXPECT_EQ(UnpackMaybeGzip(packed, 1000).status().code(), Code::kResourceExhausted);
  EXPECT_EQ(ReadMaybeGzip("/nowhere/at/all").status().code(), Code::kNotFound);
}

TEST(TracesTest, NodesAndPods) {
  auto nodes = ParseNodes("sn,cpu_milli,memory_mib,gpu,model\nn1,64000,1000,2,P100\r\n\n");
  ASSERT_TRUE(nodes.ok()) << nodes.status().ToString();
  ASSERT_EQ(nodes->size(), 1u);
  EXPECT_EQ((*nodes)[0].card_model, "P100");
  auto pods =
      ParsePods("name,gpu_spec,cpu_milli,memory_mib,num_gpu,gpu_milli\np,T4|P100,1,2,1,460\nq,,1,2,0,0\n");
  ASSERT_TRUE(pods.ok()) << pods.status().ToString();
  EXPECT_THAT((*pods)[0].card_models, ElementsAre("T4", "P100"));
  EXPECT_TRUE((*pods)[0].IsFraction());
  EXPECT_EQ((*pods)[1].DemandMilli(), 0);
}

TEST(TracesTest, MemoryOfCardsIsReadWhereItIsGiven) {
  auto nodes = ParseNodes("sn,cpu_milli,memory_mib,gpu,gpu_memory_mib\nn1,64000,1000,2,16384\n");
  ASSERT_TRUE(nodes.ok()) << nodes.status().ToString();
  EXPECT_EQ((*nodes)[0].card_memory_mib, 16384);
  auto pods =
      ParsePods("cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_memory_mib\n1,2,1,460,2048\n1,2,1,460,\n");
  ASSERT_TRUE(pods.ok()) << pods.status().ToString();
  EXPECT_EQ((*pods)[0].card_memory_mib, 2048);
  EXPECT_EQ((*pods)[1].card_memory_mib, 0);
}

TEST(TracesTest, NodesManyTimesOver) {
  auto nodes = ParseNodes("sn,cpu_milli,memory_mib,gpu\nn1,64000,1000,2\nn2,1,1,1\n");
  auto thrice = Repeated(*nodes, 3);
  ASSERT_TRUE(thrice.ok());
  ASSERT_EQ(thrice->size(), 6u);
  EXPECT_EQ((*thrice)[1].id, "n2");
  EXPECT_EQ((*thrice)[4].id, "n1~3");
  EXPECT_EQ((*thrice)[4].cards, 2);
  EXPECT_FALSE(Repeated(*nodes, 0).ok());
  EXPECT_FALSE(Repeated(*nodes, kNodesMax).ok());
}

TEST(TracesTest, WhatIsWrongIsSaid) {
  EXPECT_THAT(ParseNodes("sn,cpu\n").status().text(), HasSubstr("lacks the column \"cpu_milli\""));
  EXPECT_THAT(ParseNodes("sn,cpu_milli,memory_mib,gpu\na,x,1,1\n").status().text(),
              HasSubstr("line 2: cpu_milli is \"x\", expected a number from 0"));
  EXPECT_THAT(ParseNodes("sn,cpu_milli,memory_mib,gpu\na,1\n").status().text(),
              HasSubstr("line 2 has 2 fields"));
  EXPECT_THAT(ParsePods("cpu_milli,memory_mib,num_gpu,gpu_milli\n1,1,2,500\n").status().text(),
              HasSubstr("several are whole"));
  EXPECT_THAT(ParseSeries("client,window_start_s,rate_per_s,interarrival_cv\na,0,nan,1\n").status().text(),
              HasSubstr("rate_per_s is \"nan\""));
  EXPECT_THAT(ParseSeries("client,window_start_s,rate_per_s,interarrival_cv\n").status().text(),
              HasSubstr("no rows"));
  EXPECT_THAT(
      ParseSeries("client,window_start_s,rate_per_s,interarrival_cv\na,0,1,1\na,0,2,1\n").status().text(),
      HasSubstr("client a has two rows for window_start_s 0"));
  EXPECT_THAT(ParseNodes("sn,cpu_milli,memory_mib,gpu\na,-1,1,1\n").status().text(),
              HasSubstr("line 2: cpu_milli is \"-1\", expected a number from 0"));
  EXPECT_THAT(ParseNodes("sn,cpu_milli,memory_mib,gpu\na,1,1,17\n").status().text(),
              HasSubstr("gpu is \"17\", expected a number from 0 to 16"));
  for (const char* huge : {"99999999999999999999", "1e300", "0x10", " 1", ""}) {
    EXPECT_THAT(ParsePods(std::string("cpu_milli,memory_mib,num_gpu,gpu_milli\n") + huge + ",1,1,500\n")
                    .status()
                    .text(),
                HasSubstr("line 2: cpu_milli is"));
  }
  EXPECT_TRUE(ParseNodes("\xef\xbb\xbfsn,cpu_milli,memory_mib,gpu\na,1,1,1\n").ok());
  EXPECT_EQ(
      ParseSeries("client,window_start_s,rate_per_s,interarrival_cv\na,0,1,1\na,1,1,1\na,9999999999,1,1\n")
          .status()
          .code(),
      Code::kResourceExhausted);
  EXPECT_EQ(ParseNodes(std::string(kCsvLineBytesMax + 1, 'x')).status().code(), Code::kInvalidArgument);
}

TEST(TracesTest, SeriesFillsGapsWithNothing) {
  auto series = ParseSeries(
      "client,window_start_s,rate_per_s,interarrival_cv\nb,600,2,1\na,0,1,1\na,600,1,1\na,1800,3,0.5\n");
  ASSERT_TRUE(series.ok()) << series.status().ToString();
  EXPECT_THAT(series->clients, ElementsAre("a", "b"));
  EXPECT_EQ(series->window_count, 4u);
  EXPECT_EQ(series->windows[0][2].rate_per_s, 0);
  EXPECT_EQ(series->windows[1][1].rate_per_s, 2);
}

TEST(SynthTest, ReadsBackAndIsTheSameEverywhere) {
  auto synth = MakeSynth({3, 2, 7});
  ASSERT_TRUE(synth.ok());
  auto back = ParseSeries(SeriesCsv(*synth));
  ASSERT_TRUE(back.ok()) << back.status().ToString();
  EXPECT_EQ(back->clients, synth->clients);
  EXPECT_EQ(back->window_count, 288u);
  EXPECT_EQ(SeriesCsv(*MakeSynth({3, 2, 7})), SeriesCsv(*synth));
  EXPECT_FALSE(MakeSynth({0, 1, 1}).ok());
}

TEST(OptionsTest, SeedsNamesAndRanges) {
  EXPECT_THAT(*ParseSeeds("42-44,7"), ElementsAre(42, 43, 44, 7));
  EXPECT_THAT(*ParseSeeds("18446744073709551614-18446744073709551615"),
              ElementsAre(18446744073709551614U, 18446744073709551615U));
  for (const char* bad : {"", "a", "5-1", "1-", "1-100000", "1--2", "-3"})
    EXPECT_FALSE(ParseSeeds(bad).ok()) << bad;
  EXPECT_THAT(*ParseNames("a,b"), ElementsAre("a", "b"));
  EXPECT_FALSE(ParseNames("a,,b").ok());
  EXPECT_EQ(*ParseRange("1:4"), (std::pair{1.0, 4.0}));
  EXPECT_EQ(*ParseRange("2"), (std::pair{2.0, 2.0}));
  for (const char* bad : {"", "4:1", "0:1", "1:2:3", "nan"}) EXPECT_FALSE(ParseRange(bad).ok()) << bad;
}

}  // namespace
}  // namespace snug::simulate
