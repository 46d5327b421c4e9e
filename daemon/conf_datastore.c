/*
 * Section datastore: ours, and the stores of the reference. The latter are read so that a peer can
 * be handed back to it; they are never filled with defaults, except where init writes them.
 * Source: ipfs-cluster 1.1.6 datastore/{badger,badger3,leveldb,pebble}/config.go.
 */
#include "daemon/conf_tables.h"

static const struct conf_range ratio = { 0, 1, "between 0 and 1" };
static const struct conf_range map_size = { INT64_C(1) << 24, INT64_C(1) << 46,
					    "from 16777216 to 70368744177664" };

static const struct conf_key lmdb_keys[] = {
	FIELD("folder", CONF_STRING, CONF_ZERO_DEFAULT, store_config, folder, .def = "\"lmdb\""),
	FIELD("map_size", CONF_UINT64, CONF_ZERO_DEFAULT, store_config, map_size,
	      .range = &map_size, .def = "1099511627776"),
	NO_MORE_KEYS,
};

const struct conf_section conf_lmdb = { "datastore.lmdb", "CLUSTER_LMDB", lmdb_keys, NULL };

#define B(n) KEY(n, CONF_BOOL, CONF_SPARSE)
#define I(n) KEY(n, CONF_INT64, CONF_SPARSE)
#define U(n) KEY(n, CONF_UINT64, CONF_SPARSE)
#define D(n) KEY(n, CONF_DOUBLE, CONF_SPARSE)
#define S(n) KEY(n, CONF_STRING, CONF_SPARSE)
#define L(n) KEY(n, CONF_OPAQUE, CONF_SPARSE | CONF_NO_ENV)

static const struct conf_key pebble_options[] = {
	I("cache_size_bytes"),
	I("bytes_per_sync"),
	B("disable_wal"),
	KEY("flush_delay_delete_range", CONF_INT64, CONF_SPARSE | CONF_NO_ENV), /* ns */
	KEY("flush_delay_range_key", CONF_INT64, CONF_SPARSE | CONF_NO_ENV),
	I("flush_split_bytes"),
	I("format_major_version"),
	I("l0_compaction_file_threshold"),
	I("l0_compaction_threshold"),
	I("l0_stop_writes_threshold"),
	I("l_base_max_bytes"),
	I("max_open_files"),
	U("mem_table_size"),
	I("mem_table_stop_writes_threshold"),
	B("read_only"),
	I("wal_bytes_per_sync"),
	L("levels"),
	NO_MORE_KEYS,
};

static const struct conf_key pebble_keys[] = {
	S("folder"),
	KEY("pebble_options", CONF_OBJECT, CONF_SPARSE, .sub = pebble_options),
	NO_MORE_KEYS,
};

const struct conf_section conf_pebble = { "datastore.pebble", "CLUSTER_PEBBLE", pebble_keys, NULL };

#define LEVEL(target)                                                                              \
	"{\"block_restart_interval\": 16, \"block_size\": 4096, \"block_size_threshold\": 90, "    \
	"\"compression\": 1, \"filter_type\": 0, \"filter_policy\": 10, \"index_block_size\": "    \
	"4096, "                                                                                   \
	"\"target_file_size\": " target "}"

const char conf_pebble_default[] =
    "{\"pebble_options\": {"
    "\"cache_size_bytes\": 1073741824, \"bytes_per_sync\": 1048576, "
    "\"disable_wal\": false, \"flush_delay_delete_range\": 0, "
    "\"flush_delay_range_key\": 0, \"flush_split_bytes\": 4194304, "
    "\"format_major_version\": 24, \"l0_compaction_file_threshold\": 750, "
    "\"l0_compaction_threshold\": 4, \"l0_stop_writes_threshold\": 12, "
    "\"l_base_max_bytes\": 134217728, \"max_open_files\": 1000, "
    "\"mem_table_size\": 67108864, \"mem_table_stop_writes_threshold\": 20, "
    "\"read_only\": false, \"wal_bytes_per_sync\": 0, "
    "\"levels\": [" LEVEL("4194304") ", " LEVEL("8388608") ", " LEVEL("16777216") ", " LEVEL(
	"33554432") ", " LEVEL("67108864") ", " LEVEL("134217728") ", " LEVEL("268435456") "]}}";

static const struct conf_key leveldb_options[] = {
	I("block_cache_capacity"),
	B("block_cache_evict_removed"),
	I("block_restart_interval"),
	I("block_size"),
	I("compaction_expand_limit_factor"),
	I("compaction_gp_overlaps_factor"),
	I("compaction_l0_trigger"),
	I("compaction_source_limit_factor"),
	I("compaction_table_size"),
	D("compaction_table_size_multiplier"),
	L("compaction_table_size_multiplier_per_level"),
	I("compaction_total_size"),
	D("compaction_total_size_multiplier"),
	L("compaction_total_size_multiplier_per_level"),
	U("compression"),
	B("disable_buffer_pool"),
	B("disable_block_cache"),
	B("disable_compaction_backoff"),
	B("disable_large_batch_transaction"),
	I("iterator_sampling_rate"),
	B("no_sync"),
	B("no_write_merge"),
	I("open_files_cache_capacity"),
	B("read_only"),
	U("strict"),
	I("write_buffer"),
	I("write_l0_pause_trigger"),
	I("write_l0_slowdown_trigger"),
	NO_MORE_KEYS,
};

static const struct conf_key leveldb_keys[] = {
	S("folder"),
	KEY("leveldb_options", CONF_OBJECT, CONF_SPARSE, .sub = leveldb_options),
	NO_MORE_KEYS,
};

const struct conf_section conf_leveldb = { "datastore.leveldb", "CLUSTER_LEVELDB", leveldb_keys,
					   NULL };

#define BADGER_KEYS(options)                                                                       \
	{                                                                                          \
		S("folder"),                                                                       \
		    KEY("gc_discard_ratio", CONF_DOUBLE, CONF_SPARSE | CONF_ZERO_DEFAULT,          \
			.range = &ratio, .def = "0.2"),                                            \
		    KEY("gc_interval", CONF_DURATION, CONF_SPARSE, .def = "\"15m0s\""),            \
		    KEY("gc_sleep", CONF_DURATION, CONF_SPARSE, .def = "\"10s\""),                 \
		    KEY("badger_options", CONF_OBJECT, CONF_SPARSE, .sub = options), NO_MORE_KEYS, \
	}

static const struct conf_key badger_options[] = {
	S("dir"),
	S("value_dir"),
	B("sync_writes"),
	I("table_loading_mode"),
	I("value_log_loading_mode"),
	I("num_versions_to_keep"),
	I("max_table_size"),
	I("level_size_multiplier"),
	I("max_levels"),
	I("value_threshold"),
	I("num_memtables"),
	I("num_level_zero_tables"),
	I("num_level_zero_tables_stall"),
	I("level_one_size"),
	I("value_log_file_size"),
	U("value_log_max_entries"),
	I("num_compactors"),
	B("compact_l_0_on_close"),
	B("read_only"),
	B("truncate"),
	NO_MORE_KEYS,
};

static const struct conf_key badger3_options[] = {
	S("dir"),
	S("value_dir"),
	B("sync_writes"),
	I("num_versions_to_keep"),
	B("read_only"),
	I("compression"),
	B("in_memory"),
	B("metrics_enabled"),
	I("num_goroutines"),
	I("mem_table_size"),
	I("base_table_size"),
	I("base_level_size"),
	I("level_size_multiplier"),
	I("table_size_multiplier"),
	I("max_levels"),
	D("v_log_percentile"),
	I("value_threshold"),
	I("num_memtables"),
	I("block_size"),
	D("bloom_false_positive"),
	I("block_cache_size"),
	I("index_cache_size"),
	I("num_level_zero_tables"),
	I("num_level_zero_tables_stall"),
	I("value_log_file_size"),
	U("value_log_max_entries"),
	I("num_compactors"),
	B("compact_l_0_on_close"),
	B("lmax_compaction"),
	I("zstd_compression_level"),
	B("verify_value_checksum"),
	I("checksum_verification_mode"),
	B("detect_conflicts"),
	I("namespace_offset"),
	NO_MORE_KEYS,
};

static const struct conf_key badger_keys[] = BADGER_KEYS(badger_options);
static const struct conf_key badger3_keys[] = BADGER_KEYS(badger3_options);

const struct conf_section conf_badger = { "datastore.badger", "CLUSTER_BADGER", badger_keys, NULL };
const struct conf_section conf_badger3 = { "datastore.badger3", "CLUSTER_BADGER3", badger3_keys,
					   NULL };
