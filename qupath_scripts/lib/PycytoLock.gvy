/*
 * Keeps scripts and commands out of each other's way: a note "lock.json" in the folder at work.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import java.nio.file.FileAlreadyExistsException
import java.nio.file.Files
import java.nio.file.StandardOpenOption
import java.time.Duration
import java.time.Instant
import java.time.format.DateTimeParseException

class PycytoLock {
    private final List<File> held = []

    /**
     * Takes the lock of a folder.
     *
     * @param by      name of the script
     * @param holder  process that may hold it already, since it has started this script; or null
     */
    void take(File place, String by, Object holder) {
        def note = new File(place, 'lock.json')
        if (note in held) {
            return
        }
        place.mkdirs()
        for (int attempt = 0; attempt < 2; attempt++) {
            try {
                def mine = [pid: ProcessHandle.current().pid(), host: hostName(), since: PycytoFiles.now(), by: by]
                Files.writeString(note.toPath(), PycytoFiles.JSON.toJson(mine), StandardOpenOption.CREATE_NEW)
                held << note
                return
            } catch (FileAlreadyExistsException ignored) {
                Map<String, Object> other
                try {
                    other = PycytoFiles.toMap(PycytoFiles.readJson(note))
                } catch (PycytoRefusal | IOException half) {
                    continue // just being written or just gone: look again
                }
                if (other.pid as String == holder as String) {
                    return
                }
                if (isHere(other.host as String) && !ProcessHandle.of(other.pid as long).isPresent()) {
                    note.delete() // left by a process that was killed
                    continue
                }
                if (isHere(other.host as String) && other.pid as String == ProcessHandle.current().pid() as String) {
                    Pycyto.refuse("A window of pycyto (${other.by}) is at work in ${place}, in this QuPath. Close it first, then start this again.")
                }
                Pycyto.refuse("Another pycyto is at work in ${place} (process ${other.pid} on ${other.host}, ${age(other.since)}). "
                    + "Wait until it has finished. If you are sure that it has, delete ${note}.")
            }
        }
        Pycyto.refuse("The lock ${note} cannot be had. Try again, or delete it.")
    }

    void giveBack() {
        held.each { File note -> note.delete() }
        held.clear()
    }

    private static String age(Object since) {
        try {
            return "for ${Duration.between(Instant.parse(since as String), Instant.now()).toMinutes()} minutes"
        } catch (DateTimeParseException ignored) {
            return "since ${since}"
        }
    }

    /** Python may know this computer by its short name, Java by its full one. */
    private static boolean isHere(String host) {
        return host?.tokenize('.')?.first()?.equalsIgnoreCase(hostName().tokenize('.').first())
    }

    private static String hostName() {
        try {
            return InetAddress.localHost.hostName
        } catch (UnknownHostException ignored) {
            return System.getenv('HOSTNAME') ?: System.getenv('COMPUTERNAME') ?: 'unknown'
        }
    }
}
