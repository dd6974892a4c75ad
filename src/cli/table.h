// Tables for people: columns as wide as their widest cell, two spaces between, numbers to the right.
#pragma once

#include <string>
#include <vector>

namespace snug::cli {

struct Column {
  std::string title;
  bool to_the_right = false;
};

class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // Missing cells are empty, further ones are dropped; control characters become spaces.
  void Add(std::vector<std::string> cells);
  bool empty() const { return rows_.empty(); }
  // With the titles, each line ended by a newline, none with trailing spaces.
  std::string Text() const;

 private:
  std::vector<size_t> Widths() const;
  std::string Line(const std::vector<std::string>& cells, const std::vector<size_t>& widths) const;

  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace snug::cli
