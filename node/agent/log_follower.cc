// SPDX-License-Identifier: Apache-2.0
#include "node/agent/log_follower.h"

#include <sys/epoll.h>

namespace node::agent {

namespace {

// Per turn of the loop, so that a chatty instance cannot hold it up.
constexpr std::size_t kLinesPerTurn = 200;

}  // namespace

std::string format_line(const sys::JournalLine& line, LogFormat format) {
  if (format == LogFormat::events) return rest::format_event("", line.message, line.cursor);
  return line.message + "\n";
}

base::Result<std::unique_ptr<LogFollower>> LogFollower::make(
    sys::EventLoop& loop, const sys::JournalReader::Options& options, LogFormat format,
    std::shared_ptr<rest::ByteStream> stream, std::function<void()> gone) {
  std::unique_ptr<LogFollower> out(new LogFollower(loop, format, stream));
  out->reader_ = TRY(sys::JournalReader::open(options));
  out->watch_ = TRY(loop.watch_fd(out->reader_->fd(), EPOLLIN,
                                  [raw = out.get()](std::uint32_t) { raw->pump(); }));
  stream->on_close(std::move(gone));
  out->again_ = loop.after(base::Duration(0), [raw = out.get()] { raw->pump(); });
  return out;
}

void LogFollower::pump() {
  again_.reset();
  auto lines = reader_->read(kLinesPerTurn);
  if (!lines) return stream_->finish();
  std::string text;
  for (const sys::JournalLine& line : *lines) text += format_line(line, format_);
  if (!text.empty() && !stream_->write(text)) return;
  if (lines->size() < kLinesPerTurn) return;
  again_ = loop_.after(base::Duration(0), [this] { pump(); });
}

}  // namespace node::agent
