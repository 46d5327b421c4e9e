#include "daemon/conf_tables.h"

#include <limits.h>

#include "util/duration.h"

static const struct conf_range brake = { -1, INT64_MAX,
					 ">= 1, 0 for the usual limit, -1 for none" };
static const struct conf_range deadline = { DURATION_S, 3600 * DURATION_S, "from 1s to 1h" };

static const struct conf_key keys[] = {
	FIELD("access", CONF_STRING, 0, fs_config, access),
	FIELD("write", CONF_STRING, 0, fs_config, write),
	FIELD("backup", CONF_STRING, 0, fs_config, backup),
	FIELD("audit_days", CONF_INT32, 0, fs_config, audit_days, .range = &conf_positive,
	      .def = "90"),
	FIELD("max_unpins", CONF_INT64, 0, fs_config, max_unpins, .range = &brake),
	FIELD("backups_rotate", CONF_INT32, 0, fs_config, backups_rotate, .range = &conf_positive,
	      .def = "6"),
	FIELD("commit_deadline", CONF_DURATION, 0, fs_config, commit_deadline_ms,
	      .range = &deadline, .def = "\"30s\""),
	FIELD("mount_options", CONF_STRINGS, CONF_ONE_OR_MANY, fs_config, mount_options),
	NO_MORE_KEYS,
};

const struct conf_section conf_fuse = { "fuse", "CLUSTER_FUSE", keys, NULL };
