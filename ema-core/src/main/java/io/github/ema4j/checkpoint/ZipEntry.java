package io.github.ema4j.checkpoint;

/**
 * An entry of a zip file.
 *
 * @param name its name
 * @param offset where its bytes begin in the file
 * @param bytes how many of them the file has
 * @param crc32 their checksum as the file's directory has it
 * @param compressed whether they are not its content as it is
 */
record ZipEntry(String name, long offset, long bytes, long crc32, boolean compressed) {}
