/*
 * An append-only log: a file with one JSON object per line. A line is on the disk when "append"
 * returns, whatever happens to this process afterwards; see docs/formats.md.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import com.google.gson.Gson
import com.google.gson.GsonBuilder
import com.google.gson.JsonElement
import com.google.gson.JsonParseException
import com.google.gson.JsonParser
import groovy.transform.CompileStatic
import java.nio.ByteBuffer
import java.nio.channels.FileChannel
import java.nio.file.StandardOpenOption
import java.time.Instant
import java.time.ZoneOffset
import java.time.format.DateTimeFormatter

@CompileStatic
class PycytoLog {
    private static final Gson LINE = new GsonBuilder().disableHtmlEscaping().serializeNulls().create()
    private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSS'Z'").withZone(ZoneOffset.UTC)
    private static final byte LINE_END = 10

    final File file

    PycytoLog(File file) {
        this.file = file
    }

    /** The name of a person as a file or folder is named after it: the same for spellings that differ in case only. */
    static String fileNameOf(String person) {
        def name = new StringBuilder()
        for (byte it : person.trim().toLowerCase(Locale.ROOT).getBytes('UTF-8')) {
            boolean isPlain = it >= 97 && it <= 122 || it >= 48 && it <= 57 || it == 95 || it == 45  // a-z 0-9 _ -
            name.append(isPlain ? ((char) it).toString() : '%' + Integer.toHexString(it & 0xff).toUpperCase(Locale.ROOT).padLeft(2, '0'))
        }
        return name.toString()
    }

    /** Now, to the millisecond, in a form whose order as text is that in time. */
    static String now() {
        return TIME.format(Instant.now())
    }

    /** Adds one line and waits until it is on the disk. A line that an earlier process did not finish is cut off. */
    void append(Map<String, Object> line) {
        PycytoFiles.before('append', file)
        byte[] bytes = (LINE.toJson(line) + '\n').getBytes('UTF-8')
        boolean isNew = !file.exists()
        file.parentFile.mkdirs()
        try (FileChannel channel = FileChannel.open(file.toPath(), StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            long end = endOfLastLine(channel)
            channel.truncate(end)
            try {
                writeAll(channel, bytes, end)
                channel.force(true)
            } catch (IOException e) {
                channel.truncate(end)  // a full disk, say: what is half written is no decision
                throw e
            }
        }
        if (isNew) {
            forceFolder()
        }
        PycytoFiles.before('appended', file)
    }

    private static void writeAll(FileChannel channel, byte[] bytes, long start) {
        ByteBuffer rest = ByteBuffer.wrap(bytes)
        while (rest.hasRemaining()) {
            channel.write(rest, start + rest.position())
        }
    }

    private static long endOfLastLine(FileChannel channel) {
        ByteBuffer one = ByteBuffer.allocate(1)
        long end = channel.size()
        while (end > 0) {
            one.clear()
            channel.read(one, end - 1)
            if (one.get(0) == LINE_END) {
                return end
            }
            end--
        }
        return 0
    }

    /** A new file's name must be on the disk too. Windows opens no folders, and needs none of it. */
    private void forceFolder() {
        try (FileChannel folder = FileChannel.open(file.parentFile.toPath(), StandardOpenOption.READ)) {
            folder.force(true)
        } catch (IOException ignored) {
            return
        }
    }

    /** All lines, the oldest first. One without its end is left out: it was never finished. */
    List<Map<String, Object>> lines() {
        List<Map<String, Object>> found = new ArrayList<Map<String, Object>>()
        if (!file.exists()) {
            return found
        }
        String text = file.getText('UTF-8')
        int start = 0
        for (int end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
            found.add(parsed(text.substring(start, end), found.size() + 1))
            start = end + 1
        }
        return found
    }

    private Map<String, Object> parsed(String line, int number) {
        try {
            JsonElement json = JsonParser.parseString(line)
            if (json.isJsonObject()) {
                return PycytoFiles.toMap(json)
            }
        } catch (JsonParseException ignored) {
            // said below
        }
        refuse(number, 'is not valid JSON')
        return null
    }

    /** Stops with a message that names a line of this file. */
    void refuse(int number, String what) {
        Pycyto.refuse("Line ${number} of ${file} ${what}. Nothing was changed. Restore the file from a backup, "
            + 'or move it elsewhere and ask whoever edited it.', 'bad input')
    }
}
