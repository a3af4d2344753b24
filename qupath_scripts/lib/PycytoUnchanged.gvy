/*
 * QuPath tells everybody that the objects have changed when a script has ended, whatever the script
 * did, and from then on asks whether to save the image. An image that was saved when the script
 * ended is called unchanged again.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import javafx.application.Platform
import qupath.lib.images.ImageData
import qupath.lib.objects.hierarchy.events.PathObjectHierarchyEvent
import qupath.lib.objects.hierarchy.events.PathObjectHierarchyListener
import qupath.lib.scripting.ScriptParameters

class PycytoUnchanged implements PathObjectHierarchyListener {
    private final ImageData<?> data
    private final File script
    private boolean isSpent = false

    private PycytoUnchanged(ImageData<?> data, File script) {
        this.data = data
        this.script = script
    }

    /** Does so for an image with nothing unsaved, at the end of a script. */
    static void keep(ImageData<?> data, File script) {
        if (!data.isChanged()) {
            data.hierarchy.addListener(new PycytoUnchanged(data, script))
        }
    }

    /** Heeds the first event only: if it is not the one at the end of the script, somebody has changed something. */
    @Override
    void hierarchyChanged(PathObjectHierarchyEvent event) {
        if (isSpent) {
            return
        }
        isSpent = true
        if (event.source instanceof ScriptParameters && (event.source as ScriptParameters).file == script) {
            data.setChanged(false)
        }
        Platform.runLater { data.hierarchy.removeListener(this) }  // not while the listeners are being told
    }
}
