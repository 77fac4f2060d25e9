// SPDX-License-Identifier: Apache-2.0
#include "dfs/meta/table.h"

#include "common/base/check.h"

namespace dfs::meta {
namespace {

constexpr std::size_t kNodeBytes = 112;  // of a map's node with two strings

}  // namespace

std::optional<std::string_view> Table::find(std::string_view key) const {
  for (const Changes* layer : {static_cast<const Changes*>(&now_), freezing_.get()}) {
    const auto at = layer->find(key);
    if (at == layer->end()) continue;
    if (!at->second) return std::nullopt;
    return *at->second;
  }
  return store_.find(key);
}

void Table::put(std::string_view key, std::string value) {
  const auto at = now_.lower_bound(key);
  if (at != now_.end() && at->first == key) {
    now_bytes_ += value.size();
    now_bytes_ -= at->second ? at->second->size() : 0;
    at->second = std::move(value);
    return;
  }
  now_bytes_ += key.size() + value.size() + kNodeBytes;
  now_.emplace_hint(at, std::string(key), std::move(value));
}

void Table::erase(std::string_view key) {
  const auto at = now_.lower_bound(key);
  if (at != now_.end() && at->first == key) {
    now_bytes_ -= at->second ? at->second->size() : 0;
    at->second.reset();
    return;
  }
  now_bytes_ += key.size() + kNodeBytes;
  now_.emplace_hint(at, std::string(key), std::nullopt);
}

std::shared_ptr<const Changes> Table::freeze() {
  if (is_freezing_) return nullptr;
  is_freezing_ = true;
  freezing_ = std::make_shared<const Changes>(std::move(now_));
  freezing_bytes_ = now_bytes_;
  now_.clear();
  now_bytes_ = 0;
  return freezing_;
}

void Table::adopt() {
  CHECK_THAT(is_freezing_);
  store_.adopt();
  freezing_ = std::make_shared<const Changes>();
  freezing_bytes_ = 0;
  is_freezing_ = false;
}

void Table::forget() {
  CHECK_THAT(!is_freezing_);
  now_.clear();
  now_bytes_ = 0;
}

Table::Walk::Walk(const Table& table)
    : table_(table),
      now_(table.now_.end()),
      freezing_(table.freezing_->end()),
      base_(table.store_.cursor()) {}

bool Table::Walk::seek(std::string_view key) {
  now_ = table_.now_.lower_bound(key);
  freezing_ = table_.freezing_->lower_bound(key);
  has_base_ = base_->seek(key);
  return settle();
}

bool Table::Walk::next() {
  pass(key_);
  return settle();
}

void Table::Walk::pass(std::string_view key) {
  const bool on_now = now_ != table_.now_.end() && now_->first == key;
  const bool on_freezing = freezing_ != table_.freezing_->end() && freezing_->first == key;
  if (has_base_ && base_->key() == key) has_base_ = base_->next();
  if (on_freezing) ++freezing_;
  if (on_now) ++now_;
}

bool Table::Walk::settle() {
  while (true) {
    const bool on_now = now_ != table_.now_.end();
    const bool on_freezing = freezing_ != table_.freezing_->end();
    if (!on_now && !on_freezing && !has_base_) return false;
    // The least key; of equal ones that of the upper layer counts.
    std::string_view least;
    bool first = true;
    const auto consider = [&](std::string_view key) {
      if (first || key < least) least = key;
      first = false;
    };
    if (on_now) consider(now_->first);
    if (on_freezing) consider(freezing_->first);
    if (has_base_) consider(base_->key());
    const std::optional<std::string>* above = nullptr;
    if (on_now && now_->first == least) {
      above = &now_->second;
    } else if (on_freezing && freezing_->first == least) {
      above = &freezing_->second;
    }
    if (above != nullptr && !*above) {
      pass(least);
      continue;
    }
    key_ = least;
    value_ = above != nullptr ? std::string_view(**above) : base_->value();
    return true;
  }
}

}  // namespace dfs::meta
