/**
 * A disk that a BIOS boots: GRUB, and behind it a partition with GRUB's script and an image.
 *
 *   0      boot sector with the table of partitions, and GRUB (pc.img)
 *   1 MiB  FAT16, a cluster a sector: boot sector, FAT, root folder, files one after the other
 */
const SECTOR = 512;
const TABLE = 446;
const TYPE_FAT16 = 0x0e;
const CLUSTERS = 8000;
const FAT_SECTORS = Math.ceil(((CLUSTERS + 2) * 2) / SECTOR);
const ENTRIES = 16;
const ENTRY_BYTES = 32;
const LAST_CLUSTER = 0xffff;

export interface DiskFile {
  /** In the 11 characters of FAT: `BALLONETELF`. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** Returns the disk; `grub` is what build/grub/pc.img holds, whole sectors. */
export function grubDisk(grub: Buffer, files: readonly DiskFile[]): Buffer {
  const partition = fat16(files);
  const disk = Buffer.concat([grub, partition]);
  // GRUB's code for floppies lies where the table will be.
  disk.fill(0, TABLE, SECTOR - 2);
  disk.writeUInt8(0x80, TABLE);
  disk.writeUInt8(TYPE_FAT16, TABLE + 4);
  disk.writeUInt32LE(grub.length / SECTOR, TABLE + 8);
  disk.writeUInt32LE(partition.length / SECTOR, TABLE + 12);
  disk.writeUInt16LE(0xaa55, SECTOR - 2);
  return disk;
}

function fat16(files: readonly DiskFile[]): Buffer {
  const rootAt = (1 + FAT_SECTORS) * SECTOR;
  const filesAt = rootAt + ENTRIES * ENTRY_BYTES;
  const bytes = Buffer.alloc(filesAt + CLUSTERS * SECTOR);
  bytes.write("\xeb\x3c\x90MSDOS5.0", "latin1");
  bytes.writeUInt16LE(SECTOR, 11);
  bytes.writeUInt8(1, 13); // sectors of a cluster
  bytes.writeUInt16LE(1, 14); // sectors before the FAT
  bytes.writeUInt8(1, 16); // FATs
  bytes.writeUInt16LE(ENTRIES, 17);
  bytes.writeUInt16LE(bytes.length / SECTOR, 19);
  bytes.writeUInt8(0xf8, 21); // a hard disk
  bytes.writeUInt16LE(FAT_SECTORS, 22);
  bytes.writeUInt8(0x29, 38); // what follows are number, label and type
  bytes.write("BALLONET   FAT16   ", 43, "latin1");
  bytes.writeUInt16LE(0xaa55, SECTOR - 2);
  const next = (cluster: number, to: number) => bytes.writeUInt16LE(to, SECTOR + cluster * 2);
  next(0, 0xfff8);
  next(1, LAST_CLUSTER);
  let cluster = 2;
  for (const [n, file] of files.entries()) {
    const at = rootAt + n * ENTRY_BYTES;
    bytes.write(file.name, at, "latin1");
    bytes.writeUInt16LE(cluster, at + 26);
    bytes.writeUInt32LE(file.bytes.length, at + 28);
    bytes.set(file.bytes, filesAt + (cluster - 2) * SECTOR);
    const end = cluster + Math.ceil(file.bytes.length / SECTOR);
    for (; cluster < end; cluster += 1)
      next(cluster, cluster + 1 < end ? cluster + 1 : LAST_CLUSTER);
  }
  return bytes;
}
