#include "ocr/ctc.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "base/rng.h"

namespace snug::ocr {
namespace {

using testing::HasSubstr;

Alphabet Letters() {
  return Alphabet::Parse("a\nb\nc\n").value();
}  // blank a b c space

// Probabilities whose best classes are `best`, each with its own score.
std::vector<float> Steps(const std::vector<size_t>& best, size_t classes = 5) {
  std::vector<float> values(best.size() * classes, 0.01F);
  for (size_t step = 0; step < best.size(); ++step)
    values[step * classes + best[step]] = 0.5F + 0.01F * static_cast<float>(step);
  return values;
}

std::string Read(const std::vector<size_t>& best) {
  return TextOf(DecodeGreedy(Steps(best).data(), best.size(), 5).value(), Letters());
}

TEST(Alphabet, IsBlankThenTheDictionaryThenSpace) {
  const Alphabet letters = Letters();
  EXPECT_EQ(letters.classes(), 5u);
  EXPECT_EQ(letters.dictionary_entries(), 3u);
  EXPECT_EQ(letters[0], "");
  EXPECT_EQ(letters[3], "c");
  EXPECT_EQ(letters[4], " ");
}

TEST(Alphabet, TakesFilesAsPeopleHaveThem) {
  EXPECT_EQ(Alphabet::Parse("a\nb")->classes(), 4u);
  EXPECT_EQ(Alphabet::Parse("a\r\nb\r\n")->classes(), 4u);
  EXPECT_EQ((*Alphabet::Parse("a\r\nb\r\n"))[1], "a");
  EXPECT_EQ((*Alphabet::Parse("\xEF\xBB\xBFä\nb"))[1], "ä");
  EXPECT_EQ(Alphabet::Parse("a\n\n\xe3\x80\x80\n")->classes(), 5u);  // an empty entry and a wide space count
}

TEST(Alphabet, SaysWhichLineIsWrong) {
  EXPECT_THAT(Alphabet::Parse("").status().text(), HasSubstr("it is empty"));
  EXPECT_THAT(Alphabet::Parse("a\n\xff\n").status().text(),
              HasSubstr("line 2: expected at most 64 bytes of UTF-8"));
  EXPECT_THAT(Alphabet::Parse("a\nb\n" + std::string(65, 'x')).status().text(), HasSubstr("line 3"));
  std::string many;
  for (size_t i = 0; i <= kDictionaryEntriesMax; ++i) many += "a\n";
  EXPECT_THAT(Alphabet::Parse(many).status().text(), HasSubstr("more than 200000 lines"));
}

TEST(Ctc, JoinsRepetitionsAndDropsBlanks) {
  EXPECT_EQ(Read({}), "");
  EXPECT_EQ(Read({0, 0, 0}), "");
  EXPECT_EQ(Read({1, 1, 1}), "a");
  EXPECT_EQ(Read({1, 0, 1}), "aa");
  EXPECT_EQ(Read({0, 1, 1, 0, 0, 2, 3, 3, 4, 1, 0}), "abc a");
  EXPECT_EQ(Read({1, 2, 1, 2}), "abab");
}

TEST(Ctc, ScoreIsTheMeanOfWhatIsKept) {
  const std::vector<size_t> best{1, 1, 0, 2};
  auto marks = DecodeGreedy(Steps(best).data(), best.size(), 5);
  ASSERT_TRUE(marks.ok());
  ASSERT_EQ(marks->size(), 2u);
  EXPECT_EQ((*marks)[1].step, 3u);
  EXPECT_NEAR(MeanScore(*marks), (0.50 + 0.53) / 2, 1e-6);
  EXPECT_EQ(MeanScore({}), 0);
}

TEST(Ctc, NotANumberIsNoAnswer) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> values = Steps({1, 2});
  values[5] = nan;
  EXPECT_EQ(TextOf(*DecodeGreedy(values.data(), 2, 5), Letters()), "ab");
  std::fill(values.begin() + 5, values.end(), nan);
  auto marks = DecodeGreedy(values.data(), 2, 5);
  EXPECT_EQ(marks.status().code(), Code::kInternal);
  EXPECT_THAT(marks.status().text(), HasSubstr("holds no numbers at step 1 of 2"));
}

TEST(ArgMax, IsTheFirstLargestAtEveryLength) {
  Rng rng(7);
  for (size_t count = 1; count < 200; ++count) {
    std::vector<float> values(count);
    for (float& value : values) value = static_cast<float>(rng.Below(50)) - 25.0F;
    const auto expected = std::max_element(values.begin(), values.end()) - values.begin();
    EXPECT_EQ(ArgMax(values.data(), count), static_cast<size_t>(expected));
  }
  const float lows[] = {-5, -3, -3};
  EXPECT_EQ(ArgMax(lows, 3), 1u);
  const float none[] = {-std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()};
  EXPECT_EQ(ArgMax(none, 2), 0u);
  EXPECT_EQ(ArgMax(none + 1, 1), 1u);
}

}  // namespace
}  // namespace snug::ocr
