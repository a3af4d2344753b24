/*
 * A sitting: which cell comes up next, and what is said of it. It knows nothing of windows.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

class PycytoReading {
    final PycytoReads reads
    final List<Integer> positions      // those to be read, in the order in which they come up
    final Set<Integer> unreadable = new LinkedHashSet<>()  // in this sitting: their image cannot be opened
    Integer position                   // that is shown; null when nothing is left

    PycytoReading(PycytoReads reads, List<Integer> positions) {
        this.reads = reads
        this.positions = positions
        position = next()
    }

    PycytoAssignment.Cell getCell() {
        return position == null ? null : cellAt(position)
    }

    /** The cell that comes up after the one shown, or null. */
    PycytoAssignment.Cell getCellAfter() {
        Integer after = positions.find { it != position && isWaiting(it) }
        return after == null ? null : cellAt(after)
    }

    private PycytoAssignment.Cell cellAt(int position) {
        return reads.assignment.cells[reads.order[position]]
    }

    /** How many are read, of those to be read. */
    int getCount() { positions.count { reads.isRead(it) } as int }

    /** The first that is not read yet: also after one was taken back, and on the next day. */
    private Integer next() {
        return positions.find { isWaiting(it) }
    }

    private boolean isWaiting(int position) {
        return !reads.isRead(position) && !(position in unreadable)
    }

    /** Says something of the cell that is shown; the next one comes up with goOn(). */
    void say(String action, String label, double seconds) {
        reads.say(position, action, label, seconds)
    }

    void goOn() {
        position = next()
    }

    /** Goes back to the cell that was read last, which is unread then; false where there is none. */
    boolean takeBack(double seconds) {
        Integer last = reads.takeBack(seconds)
        position = last == null ? position : last
        return last != null
    }

    /** Leaves the cell unread: it comes up again in the next sitting. */
    void leaveUnread() {
        unreadable << position
        goOn()
    }
}
