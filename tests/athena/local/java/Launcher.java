package spanishgas.trino;

import io.trino.server.Server;

/** Starts a server, as the launcher of the server's own archive does. */
public final class Launcher {
    private Launcher() {}

    public static void main(String[] arguments) {
        new Server().start(arguments[0]);
    }
}
