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

// ---- versions ----

std::optional<Table::Version> Table::find_version(std::string_view key,
                                                  VolumeNumber snapshot) const {
  Walk walk(*this);
  if (!walk.seek(version_key(key, snapshot))) return std::nullopt;
  const std::string_view found = walk.key();
  // Names have no NUL, so that the versions of one key lie together.
  if (found.size() != key.size() + 9 || found.front() != 'w' || found.substr(1, key.size()) != key)
    return std::nullopt;
  Version version;
  version.snapshot = static_cast<VolumeNumber>(number_in_key(found, found.size() - 8));
  if (walk.value().front() == '\1') version.value = walk.value().substr(1);
  return version;
}

std::optional<std::string_view> Table::find_at(std::string_view key, VolumeNumber snapshot) const {
  if (snapshot != 0) {
    if (const auto version = find_version(key, snapshot)) return version->value;
  }
  return find(key);
}

void Table::walk_at(
    const std::string& prefix, const std::string& from, VolumeNumber snapshot,
    const std::function<bool(std::string_view key, std::string_view value)>& take) const {
  Walk live(*this);
  if (snapshot == 0) {
    for (bool more = live.seek(from); more && live.key().starts_with(prefix); more = live.next())
      if (!take(live.key(), live.value())) return;
    return;
  }
  Walk kept(*this);
  const auto is_of = [&](std::string_view key) { return key.starts_with(prefix); };
  const std::string kept_prefix = 'w' + prefix;
  bool has_live = live.seek(from) && is_of(live.key());
  bool has_kept = kept.seek('w' + from) && kept.key().starts_with(kept_prefix);
  const auto kept_key = [&] { return kept.key().substr(1, kept.key().size() - 9); };
  while (has_live || has_kept) {
    const bool is_live = has_live && (!has_kept || live.key() <= kept_key());
    const std::string key(is_live ? live.key() : kept_key());
    const auto value = find_at(key, snapshot);
    if (value && !take(key, *value)) return;
    if (has_live && live.key() == key) has_live = live.next() && is_of(live.key());
    while (has_kept && kept_key() == key)
      has_kept = kept.next() && kept.key().starts_with(kept_prefix);
  }
}

void Table::put_version(std::string_view key, VolumeNumber snapshot, std::string kept) {
  put_now(version_key(key, snapshot), std::move(kept));
  put_now(version_index_key(snapshot, key), "");
}

void Table::erase_version(std::string_view key, VolumeNumber snapshot) {
  erase_now(version_key(key, snapshot));
  erase_now(version_index_key(snapshot, key));
}

void Table::keep(std::string_view key) {
  if (keeping_ == 0 || !is_versioned(key) || find_version(key, keeping_)) return;
  const auto old = find(key);
  std::string kept(1, old ? '\1' : '\0');
  if (old) kept += *old;
  put_version(key, keeping_, std::move(kept));
}

void Table::put(std::string_view key, std::string value) {
  keep(key);
  put_now(key, std::move(value));
}

void Table::erase(std::string_view key) {
  keep(key);
  erase_now(key);
}

void Table::put_now(std::string_view key, std::string value) {
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

void Table::erase_now(std::string_view key) {
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
