/*
 * What one reader has said of the cells of an assignment: a log that only grows; see docs/formats.md.
 * What people agree on later, and what a third reader decides, is kept in the same way.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import java.time.Instant

class PycytoReads {
    // Folders beside those of the readers.
    static final String CONSENSUS = 'consensus'
    static final String ADJUDICATION = 'adjudication'

    static final String CLASS = 'class'
    static final String SKIP = 'skip'
    static final String FLAG = 'flag'
    static final String TAKE_BACK = 'take back'
    private static final List<String> ACTIONS = [CLASS, SKIP, FLAG, TAKE_BACK]

    final PycytoAssignment assignment
    final String reader
    final List<Integer> order  // the cell at each position
    private final PycytoLog log
    private final boolean ownFile  // of one reader, in whose name every line is
    // The line that counts for each position, the one that was said last at the end.
    private final Map<Integer, Map<String, Object>> standing = new LinkedHashMap<>()

    private PycytoReads(PycytoAssignment assignment, String folder, String reader, List<Integer> order, boolean ownFile) {
        this.assignment = assignment
        this.reader = reader
        this.order = order
        this.ownFile = ownFile
        log = new PycytoLog(new File(PycytoAssignment.folder(assignment.project), "${folder}/${assignment.name}.jsonl"))
        log.lines().eachWithIndex { line, n ->
            check(line, n + 1)
            note(line)
        }
    }

    /** What a reader of the assignment has said so far. */
    static PycytoReads by(PycytoAssignment assignment, String reader) {
        if (!(reader in assignment.readers)) {
            Pycyto.refuse("'${reader}' is no reader of the assignment ${assignment.name}. Its readers are: ${assignment.readers.join(', ')}.", 'bad input')
        }
        return new PycytoReads(assignment, PycytoLog.fileNameOf(reader), reader, assignment.orders[reader], true)
    }

    /** What was decided on the cells that readers differ on: in CONSENSUS or ADJUDICATION, by whoever sits at the screen. */
    static PycytoReads together(PycytoAssignment assignment, String folder, String who) {
        return new PycytoReads(assignment, folder, who, (0..<assignment.cells.size()).toList(), false)
    }

    private void note(Map<String, Object> line) {
        int position = line.position as int
        standing.remove(position)
        if (line.action != TAKE_BACK) {
            standing[position] = line
        }
    }

    private void check(Map<String, Object> line, int number) {
        def position = line.position
        String problem = line.schema != Pycyto.SCHEMA ? 'was written by another version of pycyto'
            : line.assignment != assignment.name ? "belongs to the assignment ${line.assignment}"
            : ownFile && PycytoLog.fileNameOf("${line.reader}") != PycytoLog.fileNameOf(reader) ? "is by ${line.reader}"
            : !(position instanceof Long) || !((position as int) in order.indices) || line.cell != order[position as int] ? 'is of a cell that is not at this place of the order'
            : !(line.action in ACTIONS) || (line.label in assignment.classes) != (line.action == CLASS) ? 'says something that cannot be said in this assignment'
            : null
        if (problem != null) {
            Pycyto.refuse("Line ${number} of ${file} ${problem}. Nothing was changed. Put the right file there, that of ${reader} for ${assignment.name}; "
                + 'if there is none yet, move this one away.', 'bad input')
        }
    }

    File getFile() { log.file }

    // --- what was said ------------------------------------------------------------------------------

    boolean isRead(int position) {
        return standing.containsKey(position)
    }

    /** How many positions have been read. */
    int getCount() { standing.size() }

    int getLeft() { order.size() - count }

    /** What was said at a position: "class", "skip" or "flag"; null before anything was. */
    String actionAt(int position) {
        return standing[position]?.action
    }

    /** The class that was said at a position, or null. */
    String labelAt(int position) {
        return standing[position]?.label
    }

    /** When that was said. */
    Instant momentAt(int position) {
        return standing[position] == null ? null : Instant.parse(standing[position].at as String)
    }

    /** The position that was read last, or null. */
    Integer getLast() {
        return standing ? standing.keySet().last() : null
    }

    // --- saying it ----------------------------------------------------------------------------------

    void say(int position, String action, String label, double seconds) {
        append(position, action, label, seconds)
    }

    /** Makes the position that was read last unread again, and returns it; null where nothing was read. */
    Integer takeBack(double seconds) {
        Integer position = last
        if (position != null) {
            append(position, TAKE_BACK, null, seconds)
        }
        return position
    }

    /** On the disk first: what cannot be written was not said. */
    private void append(int position, String action, String label, double seconds) {
        Map<String, Object> line = [schema: Pycyto.SCHEMA, assignment: assignment.name, reader: reader,
            at: PycytoLog.now(), position: position as long, cell: order[position] as long,
            action: action, label: label, seconds: Math.round(seconds * 1000d) / 1000d]
        log.append(line)
        note(line)
    }
}
