/* SPDX-License-Identifier: MIT */
/*
 * A cache file that cannot be read or written for a while: LMDB's calls fail with codes
 * that name no damage, for damage is another story (what is damaged is moved aside).
 */
#include <errno.h>
#include <lmdb.h>
#include <stddef.h>

#include "fault.h"

#define FAILS(call) fault_strikes(FAULT_STORE, #call)

int __real_mdb_env_create(MDB_env **env);
int __wrap_mdb_env_create(MDB_env **env);
int
__wrap_mdb_env_create(MDB_env **env)
{
	return FAILS(mdb_env_create) ? ENOMEM : __real_mdb_env_create(env);
}

int __real_mdb_env_open(MDB_env *env, const char *path, unsigned flags, mdb_mode_t mode);
int __wrap_mdb_env_open(MDB_env *env, const char *path, unsigned flags, mdb_mode_t mode);
int
__wrap_mdb_env_open(MDB_env *env, const char *path, unsigned flags, mdb_mode_t mode)
{
	return FAILS(mdb_env_open) ? ENFILE : __real_mdb_env_open(env, path, flags, mode);
}

int __real_mdb_env_set_mapsize(MDB_env *env, size_t size);
int __wrap_mdb_env_set_mapsize(MDB_env *env, size_t size);
int
__wrap_mdb_env_set_mapsize(MDB_env *env, size_t size)
{
	return FAILS(mdb_env_set_mapsize) ? ENOMEM
					  : __real_mdb_env_set_mapsize(env, size);
}

int __real_mdb_dbi_open(MDB_txn *txn, const char *name, unsigned flags, MDB_dbi *dbi);
int __wrap_mdb_dbi_open(MDB_txn *txn, const char *name, unsigned flags, MDB_dbi *dbi);
int
__wrap_mdb_dbi_open(MDB_txn *txn, const char *name, unsigned flags, MDB_dbi *dbi)
{
	return FAILS(mdb_dbi_open) ? ENOMEM : __real_mdb_dbi_open(txn, name, flags, dbi);
}

int __real_mdb_txn_begin(MDB_env *env, MDB_txn *parent, unsigned flags, MDB_txn **txn);
int __wrap_mdb_txn_begin(MDB_env *env, MDB_txn *parent, unsigned flags, MDB_txn **txn);
int
__wrap_mdb_txn_begin(MDB_env *env, MDB_txn *parent, unsigned flags, MDB_txn **txn)
{
	return FAILS(mdb_txn_begin) ? ENOMEM
				    : __real_mdb_txn_begin(env, parent, flags, txn);
}

int __real_mdb_txn_renew(MDB_txn *txn);
int __wrap_mdb_txn_renew(MDB_txn *txn);
int
__wrap_mdb_txn_renew(MDB_txn *txn)
{
	return FAILS(mdb_txn_renew) ? MDB_READERS_FULL : __real_mdb_txn_renew(txn);
}

/* Also one that fails ends the transaction. */
int __real_mdb_txn_commit(MDB_txn *txn);
int __wrap_mdb_txn_commit(MDB_txn *txn);
int
__wrap_mdb_txn_commit(MDB_txn *txn)
{
	if (!FAILS(mdb_txn_commit))
		return __real_mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return ENOSPC;
}

int __real_mdb_get(MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *data);
int __wrap_mdb_get(MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *data);
int
__wrap_mdb_get(MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *data)
{
	return FAILS(mdb_get) ? ENOMEM : __real_mdb_get(txn, dbi, key, data);
}

int __real_mdb_put(MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *data,
    unsigned flags);
int __wrap_mdb_put(MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *data,
    unsigned flags);
int
__wrap_mdb_put(MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *data, unsigned flags)
{
	return FAILS(mdb_put) ? MDB_MAP_FULL : __real_mdb_put(txn, dbi, key, data, flags);
}

int __real_mdb_del(MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *data);
int __wrap_mdb_del(MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *data);
int
__wrap_mdb_del(MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *data)
{
	return FAILS(mdb_del) ? MDB_TXN_FULL : __real_mdb_del(txn, dbi, key, data);
}

int __real_mdb_cursor_open(MDB_txn *txn, MDB_dbi dbi, MDB_cursor **cursor);
int __wrap_mdb_cursor_open(MDB_txn *txn, MDB_dbi dbi, MDB_cursor **cursor);
int
__wrap_mdb_cursor_open(MDB_txn *txn, MDB_dbi dbi, MDB_cursor **cursor)
{
	return FAILS(mdb_cursor_open) ? ENOMEM : __real_mdb_cursor_open(txn, dbi, cursor);
}

int __real_mdb_cursor_get(MDB_cursor *cursor, MDB_val *key, MDB_val *data,
    MDB_cursor_op op);
int __wrap_mdb_cursor_get(MDB_cursor *cursor, MDB_val *key, MDB_val *data,
    MDB_cursor_op op);
int
__wrap_mdb_cursor_get(MDB_cursor *cursor, MDB_val *key, MDB_val *data, MDB_cursor_op op)
{
	return FAILS(mdb_cursor_get) ? ENOMEM
				     : __real_mdb_cursor_get(cursor, key, data, op);
}
