#include "serving/response_cache.h"

#include <gtest/gtest.h>

#include <set>

#include "serving/testing/fakes.h"

namespace snug::serving {
namespace {

using namespace std::chrono_literals;

CachedAnswer Answer(size_t bytes) {
  return {{{"y", DType::kUint8, {static_cast<int64_t>(bytes)}, Buffer::Allocate(bytes)}}, "", ""};
}
CacheKey Key(float value) {
  const Tensor input = Floats("x", {1}, {value});
  return KeyOfTensors({&input, 1}, {}, {});
}

TEST(CacheKey, DiffersWithEverythingThatAnAnswerDependsOn) {
  std::set<CacheKey> keys;
  auto add = [&](const std::vector<Tensor>& inputs, std::vector<uint8_t> wanted = {},
                 std::vector<std::string> outputs = {}) {
    EXPECT_TRUE(keys.insert(KeyOfTensors(inputs, wanted, outputs)).second);
  };
  add({Floats("x", {1, 2}, {1, 2})});
  add({Floats("x", {2, 1}, {1, 2})});
  add({Floats("x", {1, 2}, {1, 3})});
  add({Floats("z", {1, 2}, {1, 2})});
  add({Floats("x", {1, 2}, {1, 2}), Floats("y", {1}, {1})});
  add({Floats("x", {1, 2}, {1, 2})}, {1, 0});
  add({Floats("x", {1, 2}, {1, 2})}, {}, {"y", "z"});
  add({Floats("x", {1, 2}, {1, 2})}, {}, {"z", "y"});
  EXPECT_TRUE(keys.insert(KeyOfPayload("a", "b", {})).second);
  EXPECT_TRUE(keys.insert(KeyOfPayload("ab", "", {})).second);
  EXPECT_TRUE(keys.insert(KeyOfPayload("a", "b", {{"k", "v"}})).second);
  EXPECT_EQ(Key(1), Key(1));
}

TEST(ResponseCache, KeepsACopy) {
  ManualClock clock;
  ResponseCache cache({true, 1, 10, 0});
  CachedAnswer answer = Answer(1);
  *static_cast<char*>(answer.outputs[0].buffer.data()) = 'a';
  cache.Put(Key(1), answer, clock.Now());
  *static_cast<char*>(answer.outputs[0].buffer.data()) = 'b';
  auto found = cache.Find(Key(1), clock.Now());
  ASSERT_TRUE(found);
  EXPECT_EQ(*static_cast<char*>(found->outputs[0].buffer.data()), 'a');
  EXPECT_FALSE(cache.Find(Key(2), clock.Now()));
}

TEST(ResponseCache, IsBoundedInBytesAndEntries) {
  ManualClock clock;
  ResponseCache cache({true, 1, 3, 0});
  for (float i = 0; i < 3; ++i) cache.Put(Key(i), Answer(1000), clock.Now());
  EXPECT_TRUE(cache.Find(Key(0), clock.Now())) << "used last";
  cache.Put(Key(3), Answer(1000), clock.Now());
  EXPECT_EQ(cache.size().entries, 3u);
  EXPECT_FALSE(cache.Find(Key(1), clock.Now())) << "the least recently used goes";
  EXPECT_TRUE(cache.Find(Key(0), clock.Now()));
  cache.Put(Key(4), Answer(1'046'000), clock.Now());
  EXPECT_LE(cache.size().bytes, 1u << 20);
  EXPECT_EQ(cache.size().entries, 2u);
  cache.Put(Key(5), Answer(2 << 20), clock.Now());
  EXPECT_FALSE(cache.Find(Key(5), clock.Now())) << "larger than the cache";
  EXPECT_EQ(cache.size().entries, 2u);
  cache.Put(Key(4), Answer(10), clock.Now());
  EXPECT_LT(cache.size().bytes, 3000u) << "what is put again takes the old one's place";
}

TEST(ResponseCache, AnswersGrowOld) {
  ManualClock clock;
  ResponseCache cache({true, 1, 3, 60});
  cache.Put(Key(1), Answer(10), clock.Now());
  clock.Advance(59s);
  EXPECT_TRUE(cache.Find(Key(1), clock.Now())) << "being used does not make it younger";
  clock.Advance(1s);
  EXPECT_FALSE(cache.Find(Key(1), clock.Now()));
  EXPECT_EQ(cache.size().bytes, 0u);
}

}  // namespace
}  // namespace snug::serving
