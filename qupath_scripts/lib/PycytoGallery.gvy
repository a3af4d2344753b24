/*
 * The gallery without its window: which cells are on a page, which one is chosen, what a key does.
 * It needs nothing of QuPath, so that its tests need none either.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import groovy.transform.CompileStatic

class PycytoGallery {
    // What is to be seen of a cell.
    static final String SHOWN = 'shown'
    static final String LOADING = 'loading'
    static final String NO_PICTURE = 'no picture'

    final List<String> classes  // in order of severity: digit 1 is the first
    final int columns
    final int rows
    final double hsilAbove
    String label                 // the predicted class whose cells are shown
    String state                 // ... and in which state they were then; null for all
    List<PycytoCell> cells = []  // all of them, page after page
    private List<PycytoCell> firstOfNext = []  // the first page of the class that comes after this one
    int at = 0                   // the chosen one; its page is the one that is shown
    String message = ''

    private final Closure<List<PycytoCell>> listed
    private final Object desk
    private final List<List<Map<String, Object>>> done = []  // by key: the cells that it decided, and the decisions

    /**
     * @param options  classes, columns, rows, hsilAbove
     * @param desk     decide(cell, action, label, way) returns the decision, takeBack(cell, decision); both refuse by
     *                 an exception. sightOf(cell) says what is to be seen of it
     * @param listed   gives the cells of a predicted class and a state (null for all) in any order
     */
    PycytoGallery(Map<String, Object> options, Object desk, Closure<List<PycytoCell>> listed) {
        classes = options.classes as List<String>
        columns = options.columns as int
        rows = options.rows as int
        hsilAbove = options.hsilAbove as double
        this.desk = desk
        this.listed = listed
    }

    // --- order -----------------------------------------------------------------------------------

    /**
     * Slide by slide, since opening a slide takes longer than reading a page from it: the slide with the riskiest
     * cell first, and the riskiest cells of each first.
     */
    @CompileStatic
    static List<PycytoCell> ordered(Collection<PycytoCell> cells) {
        Map<String, List<PycytoCell>> slides = cells.groupBy { PycytoCell it -> it.entryId }
        List<List<PycytoCell>> inOrder = slides.values().collect { List<PycytoCell> it -> it.toSorted(BY_RISK) }
        inOrder.sort { List<PycytoCell> a, List<PycytoCell> b -> BY_RISK.compare(a[0], b[0]) }
        return inOrder.collectMany { List<PycytoCell> it -> it }
    }

    private static final Comparator<PycytoCell> BY_RISK = riskiestFirst()

    /** Of cells called NILM those that may be HSIL all the same; of others those that the model is least certain of. */
    @CompileStatic
    private static Comparator<PycytoCell> riskiestFirst() {
        return (PycytoCell a, PycytoCell b) -> {
            int order = a.predicted == 'NILM' ? Double.compare(b.hsil, a.hsil) : Double.compare(a.margin, b.margin)
            return order == 0 ? a.key.compareTo(b.key) : order
        } as Comparator<PycytoCell>
    }

    // --- pages -----------------------------------------------------------------------------------

    /**
     * Shows the cells of a predicted class. The pages then stay as they are, whatever becomes of the cells.
     *
     * @param state  of the cells as they are now; null for all
     */
    void show(String label, String state) {
        this.label = label
        this.state = state
        cells = ordered(listed.call(label, state))
        firstOfNext = ordered(listed.call(nextClass, state)).take(size)
        at = 0
        message = ''
        chooseOpen(0)
    }

    int getSize() { columns * rows }

    int getPages() { Math.max(1, (cells.size() + size - 1).intdiv(size)) }

    int getPage() { at.intdiv(size) }

    List<PycytoCell> pageCells(int page = getPage()) {
        int first = page * size
        return page < 0 || first >= cells.size() ? [] : cells.subList(first, Math.min(first + size, cells.size()))
    }

    /** What the next key may show, and is worth reading before that: the next page, and the first of the next class. */
    List<PycytoCell> getAhead() { pageCells(page + 1) + firstOfNext }

    private String getNextClass() { classes[(classes.indexOf(label) + 1) % classes.size()] }

    PycytoCell getChosen() { cells ? cells[at] : null }

    /** How many cells are left to do, by predicted class. */
    @CompileStatic
    static Map<String, Integer> openByLabel(Collection<PycytoCell> cells) {
        Map<String, Integer> counts = new HashMap<String, Integer>()
        for (PycytoCell cell : cells) {
            if (cell.state == PycytoCell.OPEN) {
                counts.merge(cell.predicted, 1, Integer::sum)
            }
        }
        return counts
    }

    private List<PycytoCell> getOpen() { pageCells().findAll { it.state == PycytoCell.OPEN } }

    /** Whether a cell wants a key of its own: a page that is accepted leaves it open. */
    boolean isHeldBack(PycytoCell cell) {
        return isSuspect(cell)
            || cell.isDisagreement()   // what the expert has said of a cell changes by a key for this very cell
            || cell.elsewhere != null  // ... also where it was said outside the review
            || desk.sightOf(cell) != SHOWN
    }

    /** Whether a cell may be HSIL. A probability that is no number counts as high. */
    boolean isSuspect(PycytoCell cell) {
        return !(cell.hsil < hsilAbove)
    }

    // --- keys ------------------------------------------------------------------------------------

    /** Does what a key means, and returns whether it means anything here. Keys are named as in javafx.scene.input.KeyCode. */
    boolean press(String key) {
        message = ''
        try {
            return act(key)
        } catch (PycytoRefusal refusal) {
            message = refusal.message
            return true
        }
    }

    private boolean act(String key) {
        def digit = key =~ /^(?:DIGIT|NUMPAD)([1-9])$/
        switch (digit ? 'DIGIT' : key) {
            case 'DIGIT': return setClass((digit[0][1] as int) - 1)
            case 'SPACE': return decide('accept', chosen?.predicted)
            case 'S': return decide('skip', null)
            case 'F': return decide('flag', null)
            case 'A': return acceptPage()
            case ['BACK_SPACE', 'U']: return takeBack()
            case 'LEFT': return move(-1)
            case 'RIGHT': return move(1)
            case 'UP': return move(-columns)
            case 'DOWN': return move(columns)
            case 'HOME': return choose(page * size)
            case 'END': return choose(page * size + pageCells().size() - 1)
            case 'PAGE_UP': return turn(-1)
            case 'PAGE_DOWN': return turn(1)
            case 'TAB': return turnClass()
            default: return false
        }
    }

    /** Left and right go on in the next row; nothing but Page Up and Page Down leaves the page. */
    private boolean move(int cells) {
        int target = at + cells
        return target < page * size || target >= page * size + pageCells().size() ? true : choose(target)
    }

    boolean choose(int target) {
        at = Math.max(0, Math.min(target, cells.size() - 1))
        return true
    }

    private boolean turn(int by) {
        int target = page + by
        if (target < 0 || target >= pages) {
            message = "This is the ${by < 0 ? 'first' : 'last'} page of ${label}. Tab shows the next class."
            return true
        }
        at = target * size
        chooseOpen(at)
        return true
    }

    private boolean turnClass() {
        show(nextClass, state)
        return true
    }

    private boolean setClass(int index) {
        if (index >= classes.size()) {
            message = "There are ${classes.size()} classes: keys 1 to ${classes.size()}."
            return true
        }
        return decide('class', classes[index])
    }

    private boolean decide(String action, String label) {
        def cell = chosen
        if (cell != null) {
            done << [[cell: cell, decision: desk.decide(cell, action, label, 'gallery')]]
            chooseOpen(at + 1)
        }
        return true
    }

    /**
     * Accepts what is open on the page, but for cells that want a key of their own, and goes to the first of
     * those. The page stays: were the next one shown by itself, a key pressed twice would accept it unseen.
     */
    private boolean acceptPage() {
        if (open.any { desk.sightOf(it) == LOADING }) {
            message = 'Some pictures are not there yet. Look at them, then press A again.'
            return true
        }
        List<Map<String, Object>> accepted = []
        List<String> refused = []
        done << accepted  // now, since a full disk may end it halfway
        open.findAll { !isHeldBack(it) }.each { PycytoCell cell ->
            try {
                accepted << [cell: cell, decision: desk.decide(cell, 'accept', cell.predicted, 'page')]
            } catch (PycytoRefusal refusal) {
                refused << refusal.message
            }
        }
        if (!accepted) {
            done.removeLast()
        }
        chooseOpen(page * size)
        message = ["${accepted.size()} accepted.", open ? "${open.size()} want a key of their own." : message, *refused.unique()].join(' ')
        return true
    }

    /** The next open cell of the page, from a place on and then from its start; where none is left the chosen one stays. */
    private void chooseOpen(int from) {
        int first = page * size
        List<PycytoCell> here = pageCells()
        List<Integer> places = here.indices.findAll { here[it].state == PycytoCell.OPEN }.collect { it + first }
        if (places) {
            at = places.find { it >= from } ?: places[0]
        } else {
            message = page + 1 < pages ? 'Page done. Page Down shows the next.'
                : "Nothing ${cells ? 'more ' : ''}to do among the cells called ${label}. Tab shows the next class.".toString()
        }
    }

    /** Takes back what the last key decided, a cell or a whole page, and goes there. */
    private boolean takeBack() {
        if (!done) {
            message = 'Nothing was decided in this sitting that could be taken back.'
            return true
        }
        List<Map<String, Object>> last = done.last()
        while (last) {
            desk.takeBack(last.last().cell, last.last().decision)
            chooseCell(last.removeLast().cell as PycytoCell)
        }
        done.removeLast()
        return true
    }

    private void chooseCell(PycytoCell cell) {
        if (cell.predicted != label) {
            show(cell.predicted, state)
        }
        choose(cells.indexOf(cell))
    }
}
