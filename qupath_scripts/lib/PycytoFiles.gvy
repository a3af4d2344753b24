/*
 * Files that are never half written, tables, JSON and hashes.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import com.google.gson.Gson
import com.google.gson.GsonBuilder
import com.google.gson.JsonElement
import com.google.gson.JsonObject
import com.google.gson.JsonParseException
import com.google.gson.JsonParser
import com.google.gson.ToNumberPolicy
import groovy.transform.CompileStatic
import java.nio.channels.FileChannel
import java.nio.file.Files
import java.nio.file.StandardCopyOption
import java.nio.file.StandardOpenOption
import java.security.MessageDigest
import java.time.Instant
import java.time.temporal.ChronoUnit
import java.util.function.BiConsumer
import java.util.function.Consumer

class PycytoFiles {
    /** Told of each step before it changes a file: where tests inject faults. */
    static BiConsumer<String, File> watcher = null

    static final Gson JSON = new GsonBuilder().disableHtmlEscaping().create()
    static final Gson PRETTY = new GsonBuilder().disableHtmlEscaping().setPrettyPrinting().serializeNulls().create()
    private static final Gson LOOSE = new GsonBuilder().setObjectToNumberStrategy(ToNumberPolicy.LONG_OR_DOUBLE).create()

    // As characters: to compare one with a number, Groovy makes objects of both.
    private static final char QUOTE = '"' as char
    private static final char COMMA = ',' as char
    private static final char LINE_END = '\n' as char
    private static final char CARRIAGE_RETURN = '\r' as char

    /** Writes a text file beside itself and renames it, so that nobody ever sees a part of it. */
    static void writing(File file, Closure action) {
        before('write', file)
        file.parentFile.mkdirs()
        def part = new File(file.parentFile, ".${file.name}.${ProcessHandle.current().pid()}.part")
        try {
            part.withWriter('UTF-8') { Writer out -> action.call(out) }
            replace(part, file)
        } finally {
            part.delete()
        }
    }

    static void before(String step, File file) {
        watcher?.accept(step, file)
    }

    static void copy(File source, File target) {
        before('copy', target)
        target.parentFile.mkdirs()
        def part = new File(target.parentFile, ".${target.name}.${ProcessHandle.current().pid()}.part")
        try {
            Files.copy(source.toPath(), part.toPath(), StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.COPY_ATTRIBUTES)
            replace(part, target)
        } finally {
            part.delete()
        }
    }

    static void replace(File source, File target) {
        before('rename', target)
        target.parentFile.mkdirs()
        FileChannel.open(source.toPath(), StandardOpenOption.WRITE).withCloseable { FileChannel it -> it.force(true) }
        Files.move(source.toPath(), target.toPath(), StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE)
    }

    static void writeJson(File file, Object value) {
        writing(file) { Writer out -> out << PRETTY.toJson(value) << '\n' }
    }

    static JsonObject readJson(File file) {
        try {
            return JsonParser.parseString(file.getText('UTF-8')).asJsonObject
        } catch (JsonParseException | IllegalStateException e) {
            Pycyto.refuse("This file is not valid JSON: ${file} (${e.message}). Restore it from a backup.", 'bad input')
        }
    }

    static Map<String, Object> toMap(JsonElement json) {
        return LOOSE.fromJson(json, Map) as Map<String, Object>
    }

    /** Calls an action with each row of a CSV file below the first, as a map by the names in the first. */
    @CompileStatic
    static void eachNamedRow(File file, Consumer<Map<String, String>> action) {
        List<String> header = new ArrayList<String>()
        eachRow(file, (List<String> row) -> {
            if (header.isEmpty()) {
                header.addAll(row)
                return
            }
            Map<String, String> named = new LinkedHashMap<String, String>(2 * header.size())
            for (int i = 0; i < header.size(); i++) {
                named.put(header.get(i), i < row.size() ? row.get(i) : '')
            }
            action.accept(named)
        })
    }

    /** Calls an action with each row of a CSV file, the first one included. */
    @CompileStatic
    static void eachRow(File file, Consumer<List<String>> action) {
        String text = file.getText('UTF-8')
        for (int at = 0; at < text.length();) {
            List<String> row = new ArrayList<String>(32)
            at = readRow(text, at, row)
            action.accept(row)
        }
    }

    /** Adds the cells of the row that begins at a place, and returns where the next one does. */
    @CompileStatic
    private static int readRow(String text, int start, List<String> row) {
        int at = start
        while (true) {
            at = at < text.length() && text.charAt(at) == QUOTE ? readQuoted(text, at, row) : readPlain(text, at, row)
            if (at >= text.length() || text.charAt(at) == LINE_END) {
                return at + 1
            }
            at++  // the comma
        }
    }

    /** Both return where the comma or line end behind the cell is. */
    @CompileStatic
    private static int readPlain(String text, int start, List<String> row) {
        int end = start, length = text.length()
        while (end < length && text.charAt(end) != COMMA && text.charAt(end) != LINE_END) {
            end++
        }
        boolean isWindows = end > start && text.charAt(end - 1) == CARRIAGE_RETURN
        row.add(text.substring(start, isWindows ? end - 1 : end))
        return end
    }

    @CompileStatic
    private static int readQuoted(String text, int start, List<String> row) {
        int end = text.indexOf((int) QUOTE, start + 1)
        while (end >= 0 && end + 1 < text.length() && text.charAt(end + 1) == QUOTE) {
            end = text.indexOf((int) QUOTE, end + 2)  // doubled: it belongs to the cell
        }
        if (end < 0) {
            Pycyto.refuse('A quotation mark is not closed in this table.', 'bad input')
        }
        row.add(text.substring(start + 1, end).replace('""', '"'))
        return text.charAt(Math.min(end + 1, text.length() - 1)) == CARRIAGE_RETURN ? end + 2 : end + 1
    }

    @CompileStatic
    static String csvRow(Collection<?> values) {
        def row = new StringBuilder()
        String separator = ''
        for (Object value : values) {
            String text = value == null ? '' : value.toString()
            row.append(separator).append(isPlain(text) ? text : '"' + text.replace('"', '""') + '"')
            separator = ','
        }
        return row.toString()
    }

    @CompileStatic
    private static boolean isPlain(String text) {
        return text.indexOf((int) QUOTE) < 0 && text.indexOf((int) COMMA) < 0 && text.indexOf((int) LINE_END) < 0 && text.indexOf((int) CARRIAGE_RETURN) < 0
    }

    static String sha256(File file) {
        def digest = MessageDigest.getInstance('SHA-256')
        file.eachByte(1 << 20) { byte[] bytes, int n -> digest.update(bytes, 0, n) }
        return hex(digest.digest())
    }

    static String sha256(String text) {
        return hex(MessageDigest.getInstance('SHA-256').digest(text.getBytes('UTF-8')))
    }

    static String hex(byte[] bytes) {
        return bytes.encodeHex().toString()
    }

    static String now() {
        return Instant.now().truncatedTo(ChronoUnit.SECONDS).toString()
    }
}
