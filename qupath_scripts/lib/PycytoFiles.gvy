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

class PycytoFiles {
    /** Told of each step before it changes a file: where tests inject faults. */
    static BiConsumer<String, File> watcher = null

    static final Gson JSON = new GsonBuilder().disableHtmlEscaping().create()
    static final Gson PRETTY = new GsonBuilder().disableHtmlEscaping().setPrettyPrinting().serializeNulls().create()
    private static final Gson LOOSE = new GsonBuilder().setObjectToNumberStrategy(ToNumberPolicy.LONG_OR_DOUBLE).create()

    private static final int QUOTE = 0x22
    private static final int COMMA = 0x2C
    private static final int LINE_END = 0x0A
    private static final int CARRIAGE_RETURN = 0x0D

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
    static void eachNamedRow(File file, Closure action) {
        List<String> header = null
        eachRow(file) { List<String> row ->
            if (header == null) {
                header = row
                return
            }
            Map<String, String> named = new LinkedHashMap<String, String>()
            for (int i = 0; i < header.size(); i++) {
                named.put(header[i], row[i])
            }
            action.call(named)
        }
    }

    /** Calls an action with each row of a CSV file, the first one included. */
    @CompileStatic
    static void eachRow(File file, Closure action) {
        file.withReader('UTF-8') { Reader input ->
            def reader = new PushbackReader(new BufferedReader(input))
            for (List<String> row = nextRow(reader); row != null; row = nextRow(reader)) {
                action.call(row)
            }
        }
    }

    @CompileStatic
    private static List<String> nextRow(PushbackReader input) {
        List<String> row = []
        def cell = new StringBuilder()
        boolean quoted = false
        for (int c = input.read(); ; c = input.read()) {
            if (c < 0) {
                return row || cell.length() ? row + [cell.toString()] : null
            } else if (c == QUOTE) {
                int next = quoted ? input.read() : 0
                if (quoted && next == QUOTE) {
                    cell.append('"')
                } else {
                    if (quoted && next >= 0) {
                        input.unread(next)
                    }
                    quoted = !quoted
                }
            } else if (!quoted && c == COMMA) {
                row.add(cell.toString())
                cell.setLength(0)
            } else if (!quoted && c == LINE_END) {
                row.add(cell.toString())
                return row
            } else if (quoted || c != CARRIAGE_RETURN) {
                cell.append((char) c)
            }
        }
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
        return text.indexOf(QUOTE) < 0 && text.indexOf(COMMA) < 0 && text.indexOf(LINE_END) < 0 && text.indexOf(CARRIAGE_RETURN) < 0
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
