import { readSlot, SLOT, type Slot } from '../../backup/index.ts'
import type { Check, Finding } from './check.ts'
import { onDatabase } from './on-database.ts'

const MEBIBYTE = 1024 * 1024
/** Bytes that may wait while nothing streams, such as during a restart. */
const IDLE_BYTES = 64 * MEBIBYTE

/** WAL that the server keeps for backups fills its disk if nothing reads it. */
export const keptWal: Check = {
  name: 'WAL for backups',
  run: onDatabase('owner', async (database) => judge(await readSlot(database))),
}

function judge(slot: Slot | null): Finding {
  if (slot === null) return { ok: true, detail: 'no WAL is kept for backups' }
  if (slot.kind === 'logical') {
    return {
      ok: false,
      detail: `WAL is not streamed: a logical replication slot has the name ${SLOT}`,
      hint: `find out who uses it, and drop it or recreate it under another name: select pg_drop_replication_slot('${SLOT}')`,
    }
  }
  const kept = `${Math.round(slot.keptBytes / MEBIBYTE)} MB of WAL are waiting for the object store`
  const bound =
    slot.serverLimitBytes === null
      ? 'the server keeps it until its disk is full (max_slot_wal_keep_size is -1)'
      : `the server keeps at most ${Math.round(slot.serverLimitBytes / MEBIBYTE)} MB`
  if (slot.walStatus === 'lost') {
    return {
      ok: false,
      detail:
        'the server invalidated the replication slot akashi_backup: moments since then cannot be restored',
      hint: 'akashi up and akashi work recreate it and take a full backup; check that one of them is running',
    }
  }
  if (!slot.active && slot.keptBytes > IDLE_BYTES) {
    return {
      ok: false,
      detail: `WAL is not streamed: ${kept}; ${bound}`,
      hint: 'start akashi up or akashi work, or stop keeping WAL: akashi backup stop --drop-slot',
    }
  }
  if (slot.walStatus === 'unreserved') {
    return {
      ok: false,
      detail: `${kept}, and the server is about to remove it`,
      hint: 'check whether the object store is slow or cannot be reached',
    }
  }
  return {
    ok: true,
    detail: `${kept}; ${bound}`,
    ...(slot.serverLimitBytes === null
      ? { hint: "alter system set max_slot_wal_keep_size = '8GB' also holds while no worker runs" }
      : {}),
  }
}
