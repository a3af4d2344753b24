/*
 * For tests: starts a script in QuPath's window, and writes again and again what the viewer shows.
 * In the user's home: start.json with "script", "config" (a file) and "state" (where to write), and "editor"
 * where QuPath's script editor shall be open before.
 */
import com.google.gson.Gson
import javafx.animation.KeyFrame
import javafx.animation.Timeline
import javafx.event.EventHandler
import javafx.stage.Stage
import javafx.stage.Window
import javafx.util.Duration
import qupath.lib.gui.QuPathGUI

def start = new Gson().fromJson(new File(System.getProperty('user.home'), 'start.json').text, Map)
def shown = new File(start.state as String)
def tell = {
    def gui = QuPathGUI.getInstance()
    def viewer = gui.viewer
    def entry = viewer.imageData == null ? null : gui.project?.getEntry(viewer.imageData)
    def panel = Window.windows.find { it instanceof Stage && it.title == 'pycyto: review' }?.scene?.root
    def state = [
        entry_id: entry?.getID(),
        selected: viewer.selectedObject?.getID()?.toString(),
        centre: [viewer.centerPixelX, viewer.centerPixelY],
        downsample: viewer.downsampleFactor,
        detections: viewer.overlayOptions.showDetections,
        panes: gui.showAnalysisPaneProperty().get(),
        small: Window.windows.findAll { it instanceof Stage && it.iconified }*.title.findAll(),
        changed: viewer.imageData?.isChanged(),
        focused: Window.windows.find { it.isFocused() }?.title,
        windows: Window.windows*.title.findAll(),
        pictures: Window.windows.collectMany { it.scene?.root?.lookupAll('.image-view') ?: [] }.count { it.image?.width == 224 && it.parent.visible },
        said: panel?.lookupAll('.label')*.text,
        similar: panel?.lookupAll('.image-view')?.count { it.image?.progress == 1.0d && !it.image.isError() },
    ]
    def part = new File(shown.parentFile, shown.name + '.part')
    part.text = new Gson().toJson(state)
    part.renameTo(shown)
}
def often = new Timeline(new KeyFrame(Duration.millis(100), tell as EventHandler))
often.cycleCount = -1
often.play()

if (start.editor) {
    QuPathGUI.getInstance().scriptEditor.showEditor()
}
def script = new File(start.script as String)
def bound = new Binding(['qupath.script.file': script.path, args: [start.config] as String[]])
new GroovyShell(getClass().classLoader, bound).evaluate(script)
