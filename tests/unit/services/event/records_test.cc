// SPDX-License-Identifier: Apache-2.0
#include "services/event/records.h"

#include <nlohmann/json.hpp>

#include "tests/support/check_result.h"

using namespace services::event;
using base::Code;
using base::Json;

TEST_GROUP(ConfluentRecords){Json round_trip(const Json& record, Format format){
    const auto read = UNWRAP(read_records({{"records", {record}}}, format, {}, "id"));
StoredEvent stored;
stored.event = read[0].event;
return show_record("t", stored, format);
}
}
;

TEST(ConfluentRecords, media_types_name_the_format) {
  CHECK_TRUE(UNWRAP(record_format("application/vnd.kafka.json.v2+json")) == Format::json);
  CHECK_TRUE(UNWRAP(record_format("Application/vnd.Kafka.binary.v2+json; charset=utf-8")) ==
             Format::binary);
  CHECK_ERROR(Code::invalid_argument, "schema_missing",
              record_format("application/vnd.kafka.avro.v2+json"));
  CHECK_ERROR(Code::invalid_argument, "media_type_unknown", record_format("application/json"));
  CHECK_ERROR(Code::invalid_argument, "media_type_unknown", record_format(""));
  CHECK_OK(check_accept("", Format::json));
  CHECK_OK(check_accept("text/html, application/vnd.kafka.json.v2+json;q=0.5", Format::json));
  CHECK_OK(check_accept("*/*", Format::binary));
  CHECK_ERROR(Code::invalid_argument, "consumer_format_differs",
              check_accept("application/vnd.kafka.binary.v2+json", Format::json));
}

TEST(ConfluentRecords, records_come_back_as_they_were) {
  for (const Json& value : {Json{{"a", 1}}, Json("text"), Json(7), Json::array({1, nullptr})}) {
    const Json shown = round_trip({{"key", value}, {"value", value}}, Format::json);
    CHECK_TRUE(shown["key"] == value && shown["value"] == value);
  }
  const Json shown = round_trip({{"key", "+/8="}, {"value", "Zm9v"}}, Format::binary);
  STRCMP_EQUAL("+/8=", shown["key"].get<std::string>().c_str());
  STRCMP_EQUAL("Zm9v", shown["value"].get<std::string>().c_str());
  const Json empty = round_trip({{"value", nullptr}}, Format::json);
  CHECK_TRUE(empty["key"].is_null() && empty["value"].is_null());
}

TEST(ConfluentRecords, each_record_has_an_id_and_its_partition) {
  const Json body = {{"records", {{{"value", 1}}, {{"value", 2}, {"partition", 3}}}}};
  const auto read = UNWRAP(read_records(body, Format::json, {}, "x"));
  CHECK_TRUE(read[0].event.id != read[1].event.id);
  CHECK_TRUE(!read[0].partition && read[1].partition == 3u);
  const auto fixed = UNWRAP(read_records(body, Format::json, 5, "x"));
  CHECK_TRUE(fixed[0].partition == 5u && fixed[1].partition == 5u);
}

TEST(ConfluentRecords, what_is_wrong_is_named_with_its_place) {
  const auto pointer = [](const Json& body, Format format = Format::binary) {
    return read_records(body, format, {}, "x").error().pointer;
  };
  STRCMP_EQUAL("/records", pointer(Json::object()).c_str());
  STRCMP_EQUAL("/records", pointer({{"records", Json::array()}}).c_str());
  STRCMP_EQUAL("/records/1/value",
               pointer({{"records", {{{"value", "Zg=="}}, {{"value", "*"}}}}}).c_str());
  STRCMP_EQUAL("/records/0/key", pointer({{"records", {{{"key", 7}}}}}).c_str());
  STRCMP_EQUAL("/records/0/partition",
               pointer({{"records", {{{"value", 1}, {"partition", -1}}}}}, Format::json).c_str());
  STRCMP_EQUAL("/records/0/extra",
               pointer({{"records", {{{"value", 1}, {"extra", 1}}}}}, Format::json).c_str());
}

TEST(ConfluentRecords, a_consumer_has_the_proxys_defaults) {
  const Instance plain = UNWRAP(read_instance(Json(), "fresh"));
  CHECK_TRUE(plain.id == "fresh" && plain.format == Format::binary &&
             plain.reset == Reset::latest && plain.auto_commit);
  const Instance full = UNWRAP(read_instance({{"name", "n"},
                                              {"format", "json"},
                                              {"auto.offset.reset", "earliest"},
                                              {"auto.commit.enable", false},
                                              {"fetch.min.bytes", 1}},
                                             "fresh"));
  CHECK_TRUE(full.id == "n" && full.format == Format::json && full.reset == Reset::earliest &&
             !full.auto_commit);
  CHECK_FALSE(UNWRAP(read_instance({{"auto.commit.enable", "false"}}, "f")).auto_commit);
  for (const Json& wrong : {Json{{"format", "avro"}}, Json{{"auto.offset.reset", "none"}},
                            Json{{"auto.commit.enable", 7}}, Json{{"name", ""}}, Json::array()})
    CHECK_ERROR(Code::invalid_argument, "consumer_config_invalid", read_instance(wrong, "f"));
}

TEST(ConfluentRecords, places_are_read_with_or_without_offsets) {
  const auto places =
      UNWRAP(read_places({{"offsets", {{{"topic", "t"}, {"partition", 1}, {"offset", 5}}}}},
                         "offsets", OffsetNeed::required));
  CHECK_TRUE(places.size() == 1 && places[0].offset == 5 && places[0].partition == 1);
  CHECK_ERROR(Code::invalid_argument, "field_missing",
              read_places({{"offsets", {{{"topic", "t"}, {"partition", 1}}}}}, "offsets",
                          OffsetNeed::required));
  CHECK_OK(read_places({{"partitions", {{{"topic", "t"}, {"partition", 1}}}}}, "partitions",
                       OffsetNeed::none));
  CHECK_ERROR(Code::invalid_argument, "field_missing",
              read_places(Json::object(), "partitions", OffsetNeed::none));
}
