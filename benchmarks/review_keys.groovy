/*
 * For benchmarks/review.py: opens the review panel in QuPath's window, presses keys in it, and writes how long
 * each took until the next cell was selected and told (seconds; painting comes after that, and what QuPath
 * does with the new classes for its own undo), and a save.
 * In the user's home: start.json with "script", "config" (a file), "keys" (how many) and "answer" (where to write).
 */
import com.google.gson.Gson
import javafx.animation.KeyFrame
import javafx.animation.Timeline
import javafx.event.Event
import javafx.event.EventHandler
import javafx.scene.input.KeyCode
import javafx.scene.input.KeyEvent
import javafx.stage.Stage
import javafx.stage.Window
import javafx.util.Duration
import qupath.lib.gui.QuPathGUI

def start = new Gson().fromJson(new File(System.getProperty('user.home'), 'start.json').text, Map)
int keys = (start.keys as double).intValue()
def times = [decide: [], move: []]

def seconds = { Closure work ->
    long before = System.nanoTime()
    work()
    (System.nanoTime() - before) / 1e9d
}
def press = { Stage panel, KeyCode code ->
    def event = new KeyEvent(KeyEvent.KEY_PRESSED, '', '', code, false, false, false, false)
    seconds { Event.fireEvent(panel.scene.root, event) }
}
def finish = { Stage panel ->
    times.close = seconds { panel.close() }  // saves
    new File(start.answer as String).text = new Gson().toJson(times)
    System.exit(0)
}

def script = new File(start.script as String)
def bound = new Binding(['qupath.script.file': script.path, args: [start.config] as String[]])
new GroovyShell(getClass().classLoader, bound).evaluate(script)
def often = new Timeline()
often.keyFrames.add(new KeyFrame(Duration.millis(400), {
    def panel = Window.windows.find { it instanceof Stage && it.title == 'pycyto: review' } as Stage
    if (panel == null || QuPathGUI.getInstance().viewer.selectedObject == null) {
        return
    }
    if (times.move.size() >= keys) {
        often.stop()
        finish(panel)
    } else if (times.decide.size() > times.move.size()) {
        times.move << press(panel, KeyCode.RIGHT)
    } else {
        times.decide << press(panel, KeyCode.DIGIT2)
    }
} as EventHandler))
often.cycleCount = -1
often.play()
