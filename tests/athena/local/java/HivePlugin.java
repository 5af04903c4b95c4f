package spanishgas.trino;

import io.trino.plugin.hive.HiveConnectorFactory;
import io.trino.spi.Plugin;
import io.trino.spi.connector.ConnectorFactory;
import java.util.List;

/** Offers the Hive connector that the Iceberg plugin's archive carries but does not announce. */
public final class HivePlugin implements Plugin {
    @Override
    public Iterable<ConnectorFactory> getConnectorFactories() {
        return List.of(new HiveConnectorFactory("hive"));
    }
}
