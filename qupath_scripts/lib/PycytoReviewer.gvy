/*
 * Who sits at the screen: asked for once, and kept in QuPath's preferences.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import javafx.beans.property.StringProperty
import qupath.fx.dialogs.Dialogs
import qupath.lib.gui.prefs.PathPrefs

class PycytoReviewer {
    private static final StringProperty KEPT = PathPrefs.createPersistentPreference('pycytoReviewer', '')

    /** The name in a setting, else the one that is kept, else what is typed now. */
    static String name(Object setting) {
        return setting?.toString()?.trim() ?: KEPT.get()?.trim() ?: ask()
    }

    /** Asks for the name, and keeps it. */
    static String ask() {
        String typed = Dialogs.showInputDialog('pycyto: review', 'Your name, as it is to stand beside what you decide:', KEPT.get() ?: '')?.trim()
        if (!typed) {
            Pycyto.refuse('A review needs the name of the reviewer. Nothing was changed. Run the script again and type it.')
        }
        KEPT.set(typed)
        return typed
    }
}
