/*
 * For benchmarks/gallery.py: opens the gallery in QuPath's window, turns its pages, and writes how long each took
 * from the key until all pictures were in their places (seconds; painting comes after that).
 * In the user's home: start.json with "script", "config" (a file) and "answer" (where to write).
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

double look = 2  // seconds, while which the pages are read that may come next
// Which key, and whether somebody has looked at the page before pressing it.
// The first class has eight pages.
def plan = [*[[KeyCode.PAGE_DOWN, true]] * 4, *[[KeyCode.PAGE_DOWN, false]] * 3, *[[KeyCode.TAB, true]] * 3]
def times = [ready: [], hurried: [], other: []]
def start = new Gson().fromJson(new File(System.getProperty('user.home'), 'start.json').text, Map)

def script = new File(start.script as String)
def bound = new Binding(['qupath.script.file': script.path, args: [start.config] as String[]])
new GroovyShell(getClass().classLoader, bound).evaluate(script)

long pressedAt = 0, shownAt = 0
def isComplete = { Stage gallery ->
    def places = gallery.scene.root.lookupAll('.image-view').findAll { it.parent.visible }
    places && places.every { it.image != null }
}
def note = {
    def (code, hasLooked) = plan.remove(0)
    times[code == KeyCode.TAB ? 'other' : hasLooked ? 'ready' : 'hurried'] << (System.nanoTime() - pressedAt) / 1e9d
    pressedAt = 0
    shownAt = System.nanoTime()
}
def press = { Stage gallery ->
    pressedAt = System.nanoTime()
    Event.fireEvent(gallery.scene.root, new KeyEvent(KeyEvent.KEY_PRESSED, '', '', plan[0][0], false, false, false, false))
    if (isComplete(gallery)) {
        note()
    }
}
def often = new Timeline()
often.keyFrames.add(new KeyFrame(Duration.millis(5), {
    def gallery = Window.windows.find { it instanceof Stage && it.title == 'pycyto: gallery' } as Stage
    if (gallery == null || !isComplete(gallery)) {
        return
    }
    if (pressedAt) {
        note()
    }
    shownAt = shownAt ?: System.nanoTime()
    if (!plan) {
        often.stop()
        new File(start.answer as String).text = new Gson().toJson(times)
        gallery.close()
        System.exit(0)
    } else if (!plan[0][1] || System.nanoTime() - shownAt > look * 1e9d) {
        press(gallery)
    }
} as EventHandler))
often.cycleCount = -1
often.play()
