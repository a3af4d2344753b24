/*
 * The window for blinded reading. It is the only one on the screen: while it is open, no window of
 * QuPath is, so no class colour, name, thumbnail or prediction can be seen, and no key or click gets
 * there. Its pixels come from the image file, not from QuPath's viewer: to empty a viewer, one has to
 * think of everything it can show; here nothing can be shown that is not put in.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import javafx.beans.value.ChangeListener
import javafx.event.EventHandler
import javafx.scene.Scene
import javafx.scene.input.KeyCode
import javafx.scene.input.KeyEvent
import javafx.stage.Modality
import javafx.stage.Stage
import javafx.stage.WindowEvent
import org.codehaus.groovy.runtime.StackTraceUtils

class PycytoReadingWindow {
    private static final double STEP = 60d  // pixels of the screen, per press of an arrow

    private final PycytoReadingTask task
    private final PycytoReading reading
    private final PycytoPictures pictures
    private final PycytoReadingView view
    private final Stage stage = new Stage()
    private final PycytoReadingLook look
    private final Set<KeyCode> held = EnumSet.noneOf(KeyCode)
    private PycytoCurtain curtain
    private final PycytoOnScreen onScreen = new PycytoOnScreen()  // the cell: before that no answer is taken
    private boolean isAnswered    // the consensus is on the screen; the next cell waits for a key

    private PycytoReadingWindow(PycytoReadingTask task) {
        this.task = task
        reading = new PycytoReading(task.reads, task.positions)
        pictures = new PycytoPictures(task.assignment.project)
        view = new PycytoReadingView(pictures)
        look = new PycytoReadingLook(task, view.node, { code -> safely { act(code) } })
    }

    /** Opens the window and waits until it is closed. */
    static void read(PycytoReadingTask task) {
        def window = new PycytoReadingWindow(task)
        try {
            window.open()
        } finally {
            window.close()
            window.pictures.close()
        }
    }

    private void open() {
        stage.title = "pycyto: ${task.assignment.name}"
        stage.initModality(Modality.APPLICATION_MODAL)
        stage.scene = new Scene(look.root, 1100d, 820d)
        stage.scene.addEventFilter(KeyEvent.KEY_PRESSED, { KeyEvent e -> safely { pressed(e) } } as EventHandler)
        stage.scene.addEventFilter(KeyEvent.KEY_RELEASED, { KeyEvent e -> held.remove(e.code) } as EventHandler)
        stage.focusedProperty().addListener({ source, before, now -> held.clear() } as ChangeListener)  // who goes elsewhere lets go of keys there
        stage.onCloseRequest = { WindowEvent e -> e.consume(); close() } as EventHandler
        stage.onShown = { WindowEvent e -> safely { curtain = new PycytoCurtain(stage); showCell() } } as EventHandler
        def main = task.assignment.project.gui.stage
        stage.x = main.x  // on the screen that QuPath is on
        stage.y = main.y
        stage.maximized = true
        stage.showAndWait()
    }

    /** QuPath's windows come back first: it ends when its last window goes. */
    private void close() {
        curtain?.close()
        stage.hide()
    }

    // --- one cell after the other -------------------------------------------------------------------

    private void showCell() {
        onScreen.end()
        isAnswered = false
        look.showProgress(reading)
        if (reading.position == null) {
            look.showEnd(reading)
            return
        }
        look.showCells()
        view.show(reading.cell, reading.cellAfter, { safely { cellIsShown() } }, { Throwable problem -> safely { cellIsMissing(problem) } })
    }

    private void cellIsShown() {
        onScreen.renew()
        look.showSaid(task.said(reading.position))
    }

    private void cellIsMissing(Throwable problem) {
        Pycyto.LOG.warn('read_cells: the image with entry ID {} cannot be shown: {}', reading.cell.imageId, StackTraceUtils.extractRootCause(problem).toString())
        reading.leaveUnread()
        look.tell("${PycytoReadingLook.cells(reading.unreadable)} cannot be shown, since the image cannot be opened. Left unread; reading goes on.")
        showCell()
    }

    private void answer(String action, String label) {
        if (isAnswered || !onScreen.lookedAt) {
            return
        }
        try {
            reading.say(action, label, onScreen.seconds)
        } catch (IOException e) {
            look.tell("This answer could not be written to the disk (${e.message ?: e}). Make room, or mend what is wrong, and answer again.")
            return
        }
        if (task.isTold) {
            isAnswered = true
            look.tell("You said: ${PycytoReadingLook.inWords(label ?: action)}.   Consensus: ${task.answer(reading.position) ?: 'none'}.   Space: next cell")
            return
        }
        look.tell(action == PycytoReads.CLASS ? '' : "Noted: ${PycytoReadingLook.inWords(action)}.")
        next()
    }

    private void next() {
        if (isAnswered) {
            look.tell('')
        }
        reading.goOn()
        showCell()
    }

    private void takeBack() {
        if (task.isTold) {
            look.tell('An answer stands once the consensus was shown.')
            return
        }
        Integer last = task.reads.last
        String word = last == null ? null : task.reads.labelAt(last) ?: task.reads.actionAt(last)
        if (reading.takeBack(onScreen.seconds)) {
            showCell()
            look.tell("Taken back: ${PycytoReadingLook.inWords(word)}. Judge this cell again.")
        } else {
            look.tell('There is nothing to take back.')
        }
    }

    // --- keys ---------------------------------------------------------------------------------------

    private void pressed(KeyEvent e) {
        if (e.controlDown || e.altDown || e.metaDown) {
            return
        }
        e.consume()
        boolean isRepeated = !held.add(e.code)
        if (!lookAround(e.code) && !isRepeated) {  // a key that is held down answers once
            act(e.code)
        }
    }

    private boolean lookAround(KeyCode code) {
        switch (code) {
            case [KeyCode.LEFT, KeyCode.KP_LEFT]: view.move(-STEP, 0d); return true
            case [KeyCode.RIGHT, KeyCode.KP_RIGHT]: view.move(STEP, 0d); return true
            case [KeyCode.UP, KeyCode.KP_UP]: view.move(0d, -STEP); return true
            case [KeyCode.DOWN, KeyCode.KP_DOWN]: view.move(0d, STEP); return true
            case [KeyCode.PLUS, KeyCode.ADD, KeyCode.EQUALS]: view.magnify(1.25d); return true
            case [KeyCode.MINUS, KeyCode.SUBTRACT]: view.magnify(0.8d); return true
            default: return false
        }
    }

    private void act(KeyCode code) {
        int digit = code.digitKey || code.keypadKey ? '0123456789'.indexOf(code.toString()[-1]) : -1
        if (digit >= 1 && digit <= task.assignment.classes.size()) {
            answer(PycytoReads.CLASS, task.assignment.classes[digit - 1])
            return
        }
        switch (code) {
            case KeyCode.S: answer(PycytoReads.SKIP, null); break
            case KeyCode.F: answer(PycytoReads.FLAG, null); break
            case KeyCode.BACK_SPACE: takeBack(); break
            case KeyCode.C: view.centre(); break
            case KeyCode.R: view.usualSize(); break
            case KeyCode.M: view.toggleMark(); break
            case KeyCode.SPACE:
            case KeyCode.ENTER: isAnswered ? next() : reading.position == null ? close() : null; break
            case KeyCode.ESCAPE: close(); break
        }
    }

    /** What goes wrong is said in this window: a dialog of QuPath could not be seen. */
    private void safely(Closure action) {
        try {
            action.call()
        } catch (Exception e) {
            Pycyto.LOG.error('read_cells', e)
            look.tell("Something went wrong: ${e.message ?: e}. What was answered before is kept.")
        }
    }
}
