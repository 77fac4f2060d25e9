// SPDX-License-Identifier: Apache-2.0
#include "common/store/pages.h"

#include <string>
#include <vector>

namespace store {

namespace {

constexpr std::size_t kPage = 1000;

template <class Read>
base::Result<void> in_pages(std::string_view prefix, const Read& read, const Visit& visit) {
  Range range{.prefix = std::string(prefix), .after = {}, .limit = kPage};
  while (true) {
    std::vector<Record> page = TRY(read(range));
    const bool last = page.size() < kPage;
    if (!page.empty()) range.after = page.back().key;
    for (Record& record : page) TRY(visit(record));
    if (last) return {};
  }
}

}  // namespace

base::Result<void> visit(Reader& reader, std::string_view collection, std::string_view prefix,
                         const Visit& visit) {
  return in_pages(
      prefix, [&](const Range& range) { return reader.list(collection, range); }, visit);
}

base::Result<void> visit_by(Reader& reader, std::string_view collection, std::string_view index,
                            std::string_view term, const Visit& visit) {
  return in_pages(
      {}, [&](const Range& range) { return reader.find_by(collection, index, term, range); },
      visit);
}

}  // namespace store
