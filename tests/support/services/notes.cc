// SPDX-License-Identifier: Apache-2.0
#include "tests/support/services/notes.h"

#include <nlohmann/json.hpp>

namespace services::test {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

constexpr std::string_view kNotes = "notes.notes";
constexpr std::string_view kNewNote = R"({"type":"object","required":["text"],
  "additionalProperties":false,"properties":{"text":{"type":"string","minLength":1,"maxLength":200},
  "tags":{"type":"array","items":{"type":"string"},"maxItems":10}}})";
constexpr std::string_view kNote = R"({"$ref":"#/components/schemas/Note"})";
constexpr std::string_view kNotesReply =
    R"({"type":"array","items":{"$ref":"#/components/schemas/Note"}})";
constexpr std::string_view kAbout = R"({"type":"object","required":["name"],
  "additionalProperties":false,"properties":{"name":{"const":"notes"}}})";

std::string key_of(const Call& call, std::string_view id) {
  return call.org().id + "/" + std::string(id);
}

Result<Reply> list_notes(Notes&, Call& call) {
  Json list = Json::array();
  const auto records = TRY(call.read().list(kNotes, {.prefix = call.org().id + "/"}));
  for (const store::Record& record : records) list.push_back(TRY(base::parse_json(record.value)));
  return Reply::json(list);
}

Result<Reply> get_note(Notes&, Call& call) {
  const auto found = TRY(call.read().find(kNotes, key_of(call, call.parameter("note"))));
  if (!found) return Error{Code::not_found, "there is no such note", "record_absent"};
  TRY(call.check_version(found->version));
  return Reply::json_text(found->value);
}

Result<Reply> create_note(Notes&, Call& call) {
  Json note = call.body();
  note["id"] = call.new_id();
  note["author"] = call.caller().account_id;
  const std::string id = note["id"];
  TRY(call.write().put(kNotes, key_of(call, id), base::dump_json(note), store::kMustBeNew));
  call.emit("notes.note.created", note);
  call.audit("note", id);
  return Reply::created(call.href_base() + "/" + call.org().fqon + "/notes/" + id, note);
}

Result<void> count_prepare(Notes& notes, Call& call) {
  ++notes.prepared;
  call.keep(std::string("prepared"));
  return {};
}

Result<Reply> delete_note(Notes&, Call& call) {
  const std::string key = key_of(call, call.parameter("note"));
  const auto found = TRY(call.read().find(kNotes, key));
  if (!found) return Error{Code::not_found, "there is no such note", "record_absent"};
  TRY(call.check_version(found->version));
  TRY(call.write().remove(kNotes, key));
  call.emit("notes.note.deleted", Json{{"id", call.parameter("note")}});
  return Reply::no_content();
}

Result<Reply> publish(Notes&, Call& call) {
  const std::string id = TRY(
      call.task({.verb = "publish", .resource = "note", .runner = "notes.publish"}, call.body()));
  return call.accepted(id);
}

constexpr Action<Notes> kActions[] = {
    {rest::Method::get,
     "/about",
     "notes.about",
     anonymous(),
     Kind::query,
     [](Notes&, Call&) -> Result<Reply> {
       return Reply::json(Json{{"name", "notes"}});
     },
     "What this is",
     {.reply = kAbout}},
    {rest::Method::get,
     "/orgs/{org}/notes",
     "note.list",
     right("readNotes"),
     Kind::query,
     list_notes,
     "Notes of an organisation",
     {.reply = kNotesReply}},
    {rest::Method::get,
     "/orgs/{org}/notes/{note}",
     "note.view",
     right("readNotes"),
     Kind::query,
     get_note,
     "One note",
     {.reply = kNote}},
    {rest::Method::post,
     "/orgs/{org}/notes",
     "note.create",
     right("writeNotes"),
     Kind::mutation,
     create_note,
     "Makes a note",
     {.body = kNewNote, .reply = kNote, .prepare = count_prepare}},
    {rest::Method::del, "/orgs/{org}/notes/{note}", "note.delete", right("writeNotes"),
     Kind::mutation, delete_note, "Removes a note"},
    {rest::Method::post,
     "/orgs/{org}/publications",
     "note.publish",
     right("writeNotes"),
     Kind::mutation,
     publish,
     "Publishes in the background",
     {.flags = kAsync}},
};

}  // namespace

std::vector<store::Collection> Notes::collections() const {
  return {{.name = std::string(kNotes)}};
}

std::vector<Schema> Notes::schemas() const {
  return {{"Note", R"({"type":"object","required":["id","text","author"],
    "additionalProperties":false,"properties":{"id":{"type":"string","format":"uuid"},
    "text":{"type":"string"},"author":{"type":"string"},"tags":{"type":"array","items":{"type":"string"}}}})"}};
}

void Notes::actions(ActionTable& table) { table.add(kActions, *this); }

Result<void> Notes::start(Host& host) {
  host.add_runner("notes.publish", [](TaskRun& run) -> Result<TaskEnd> {
    TRY(run.progress(50, "half way"));
    return TaskEnd{.message = "published"};
  });
  return {};
}

}  // namespace services::test
