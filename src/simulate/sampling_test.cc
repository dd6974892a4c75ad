#include "simulate/sampling.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace snug::simulate {
namespace {

TEST(SamplingTest, LogAndExpAreThoseOfTheLibraryUpToRounding) {
  Rng rng(1);
  for (int i = 0; i < 10000; ++i) {
    double x = std::ldexp(0.5 + rng.Uniform(), static_cast<int>(rng.Below(200)) - 100);
    EXPECT_NEAR(PortableLog(x), std::log(x), 4e-15 * std::max(1.0, std::fabs(std::log(x))));
    double y = 200 * (rng.Uniform() - 0.5);
    EXPECT_NEAR(PortableExp(y) / std::exp(y), 1, 1e-14);
  }
  EXPECT_EQ(PortableExp(-800), 0);
  EXPECT_EQ(PortableLog(1), 0);
}

struct Moments {
  double mean = 0, variance = 0;
};

template <typename Draw>
Moments Measure(Draw draw, int count = 200000) {
  double sum = 0, squares = 0;
  for (int i = 0; i < count; ++i) {
    auto x = static_cast<double>(draw());
    sum += x;
    squares += x * x;
  }
  double mean = sum / count;
  return {mean, squares / count - mean * mean};
}

TEST(SamplingTest, MeansAndVariancesAreTheDistributions) {
  Rng rng(2);
  for (double mean : {0.3, 4.0, 9.9, 10.1, 80.0, 3000.0}) {
    Moments m = Measure([&] { return Poisson(rng, mean); });
    EXPECT_NEAR(m.mean / mean, 1, 0.02) << mean;
    EXPECT_NEAR(m.variance / mean, 1, 0.03) << mean;
  }
  for (double shape : {0.2, 1.0, 7.5}) {
    Moments m = Measure([&] { return Gamma(rng, shape); });
    EXPECT_NEAR(m.mean / shape, 1, 0.02) << shape;
    EXPECT_NEAR(m.variance / shape, 1, 0.05) << shape;
  }
  Moments counts = Measure([&] { return RequestCount(rng, 30, 3); });
  EXPECT_NEAR(counts.mean, 30, 0.3);
  EXPECT_NEAR(counts.variance, 30 * 9, 12);
  Moments smooth = Measure([&] { return RequestCount(rng, 30, 0.5); });
  EXPECT_NEAR(smooth.variance, 30, 1);  // not above the mean: Poisson
  EXPECT_NEAR(Measure([&] { return Exponential(rng); }).mean, 1, 0.01);
}

TEST(SamplingTest, GoldenDrawsAreTheSameOnEveryMachine) {
  Rng rng(42);
  std::vector<uint64_t> drawn;
  for (double mean : {0.5, 5.0, 50.0, 5000.0}) drawn.push_back(RequestCount(rng, mean, 2.5));
  for (double mean : {0.5, 5.0, 50.0, 5000.0}) drawn.push_back(Poisson(rng, mean));
  EXPECT_EQ(drawn, (std::vector<uint64_t>{0, 5, 70, 4794, 1, 8, 49, 5007}));
}

TEST(SamplingTest, NothingComesOfNothing) {
  Rng rng(1);
  EXPECT_EQ(Poisson(rng, 0), 0u);
  EXPECT_EQ(RequestCount(rng, 0, 5), 0u);
  EXPECT_NE(StreamSeed("a", 1), StreamSeed("b", 1));
}

}  // namespace
}  // namespace snug::simulate
