#include "base/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace snug {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

TEST(LatencyHistogram, BoundsBelongToTheirBucket) {
  LatencyHistogram histogram;
  histogram.Observe(100us);
  histogram.Observe(100us + 1ns);
  histogram.Observe(60s);
  histogram.Observe(61s);
  histogram.Observe(-1s);
  auto counts = histogram.Counts();
  EXPECT_EQ(counts[0], 2u);
  EXPECT_EQ(counts[1], 1u);
  EXPECT_EQ(counts[17], 1u);
  EXPECT_EQ(counts[18], 1u);
  EXPECT_NEAR(histogram.SumSeconds(), 121.0002, 1e-6);
}

TEST(MetricsText, IsPrometheusText) {
  LatencyHistogram histogram;
  histogram.Observe(2ms);
  MetricsText text;
  text.Family("snug_x_total", "counter", "Things.");
  text.Sample("", 3);
  text.Family("snug_y_seconds", "histogram", "Time.");
  text.Sample(MetricLabels({{"model", "a\"b\\c\n"}}), histogram);
  std::string out = text.Take();
  EXPECT_THAT(out, HasSubstr("# HELP snug_x_total Things.\n# TYPE snug_x_total counter\nsnug_x_total 3\n"));
  EXPECT_THAT(out, HasSubstr("snug_y_seconds_bucket{model=\"a\\\"b\\\\c\\n\",le=\"0.001\"} 0\n"));
  EXPECT_THAT(out, HasSubstr("le=\"0.0025\"} 1\n"));
  EXPECT_THAT(out, HasSubstr("le=\"+Inf\"} 1\n"));
  EXPECT_THAT(out, HasSubstr("snug_y_seconds_count{model=\"a\\\"b\\\\c\\n\"} 1\n"));
}

}  // namespace
}  // namespace snug
