import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.WeakHashMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/** A program that inserts an order on behalf of a user, and says who the database says acted. */
public class Example {
  private static final String WHO = "select akashi_auth.context_application(), akashi_auth.context_user()";

  public static void main(String[] arguments) throws Exception {
    if (arguments.length == 1 && arguments[0].equals("vectors")) {
      vectors();
      return;
    }
    Signer signer = new Signer(System.getenv("SHOP_CONTEXT_KEY"));
    java.net.URI url = java.net.URI.create(System.getenv("DATABASE_URL"));
    String[] login = url.getUserInfo().split(":");
    String jdbc = "jdbc:postgresql://" + url.getHost() + ":" + url.getPort() + url.getPath();
    try (Connection connection = DriverManager.getConnection(jdbc, login[0], login[1])) {
      Map<Field, String> actor = Map.of(Field.USER_ID, "taro", Field.CLIENT_IP, "203.0.113.9");
      System.out.println(signer.inTransaction(connection, actor, () -> {
        connection.createStatement().executeUpdate("insert into public.orders (item) values ('java')");
        try (ResultSet row = connection.createStatement().executeQuery(WHO)) {
          row.next();
          return "[\"" + row.getString(1) + "\", \"" + row.getString(2) + "\"]";
        }
      }));
    }
  }

  private static void vectors() throws Exception {
    Signer signer = new Signer("akctx_shop-1_" + "42".repeat(32));
    System.out.println(signer.values(
        Map.of(Field.USER_ID, "山田 太郎 <taro@example.jp>", Field.SESSION_ID, "s/1", Field.CLIENT_IP, "203.0.113.9",
            Field.REQUEST_ID, "r-1", Field.API_ENDPOINT, "POST /orders", Field.APPLICATION_VERSION, "1.2.3"),
        1700000030L, "shop/shop_app/0002b2d8c6a5f640").get(13));
    System.out.println(
        signer.values(Map.of(Field.USER_ID, "42"), 1700000030L, "\"My Shop\"/shop_app/0002b2d8c6a5f640").get(13));
  }
}

/** What a context says, in the order in which it is signed. */
enum Field {
  USER_ID(true, 255),
  SESSION_ID(true, 255),
  SUBJECT(true, 255),
  CLIENT_IP(false, 64),
  USER_AGENT(false, 512),
  REQUEST_ID(false, 128),
  TRACE_ID(false, 128),
  CORRELATION_ID(false, 128),
  API_ENDPOINT(false, 512),
  APPLICATION_VERSION(false, 128),
  TENANT_ID(true, 128);

  private static final Pattern CONTROL = Pattern.compile("[\\x00-\\x1f\\x7f]");
  private final boolean name;
  private final int longest;

  Field(boolean name, int longest) {
    this.name = name;
    this.longest = longest;
  }

  /** A name that does not fit is refused, since a changed one is another; what describes the request is cleaned. */
  String fit(String value) {
    if (!name) {
      return CONTROL.matcher(value.substring(0, Math.min(value.length(), longest))).replaceAll("\ufffd");
    }
    if (value.length() > longest || CONTROL.matcher(value).find()) {
      throw new IllegalArgumentException(this + " of the actor is not valid");
    }
    return value;
  }
}

/** Signs who acts in each transaction: docs/request-context.md. */
class Signer {
  interface Work<T> {
    T run() throws SQLException;
  }

  private static final int LIFETIME_S = 30;

  private final String id;
  private final byte[] secret;
  private final Map<Connection, String> audiences = new WeakHashMap<>();
  private long aheadMs;

  Signer(String key) {
    Matcher match = Pattern.compile("akctx_([a-z0-9_-]+)_([0-9a-f]{64})").matcher(key.trim());
    if (!match.matches()) throw new IllegalArgumentException("the context key is not valid");
    id = match.group(1);
    secret = java.util.HexFormat.of().parseHex(match.group(2));
  }

  /** The context as set_context() takes it. */
  List<String> values(Map<Field, String> actor, long expires, String audience) {
    List<String> claims = new ArrayList<>();
    for (Field field : Field.values()) claims.add(field.fit(actor.getOrDefault(field, "")));
    claims.add(Long.toString(expires));
    claims.add(id);
    String signed = "akashi-context/1\u001f" + String.join("\u001f", claims) + "\u001f" + audience;
    try {
      Mac mac = Mac.getInstance("HmacSHA256");
      mac.init(new SecretKeySpec(secret, "HmacSHA256"));
      claims.add(java.util.HexFormat.of().formatHex(mac.doFinal(signed.getBytes(StandardCharsets.UTF_8))));
    } catch (java.security.GeneralSecurityException cause) {
      throw new IllegalStateException(cause);
    }
    return claims;
  }

  /** Runs work in a transaction on behalf of an actor. */
  <T> T inTransaction(Connection connection, Map<Field, String> actor, Work<T> work) throws SQLException {
    boolean automatic = connection.getAutoCommit();
    connection.setAutoCommit(false);
    try {
      begin(connection, actor);
      T result = work.run();
      connection.commit();
      return result;
    } catch (SQLException | RuntimeException error) {
      connection.rollback();
      throw error;
    } finally {
      connection.setAutoCommit(automatic);
    }
  }

  private void begin(Connection connection, Map<Field, String> actor) throws SQLException {
    String audience = audience(connection);
    try (PreparedStatement set = connection.prepareStatement("select akashi_auth.set_context(?)")) {
      long expires = (System.currentTimeMillis() + aheadMs) / 1000 + LIFETIME_S;
      set.setArray(1, connection.createArrayOf("text", values(actor, expires, audience).toArray()));
      set.execute();
    } catch (SQLException error) {
      // Perhaps it is another server than before; the next transaction looks again.
      synchronized (audiences) {
        audiences.remove(connection);
      }
      throw error;
    }
  }

  private String audience(Connection connection) throws SQLException {
    synchronized (audiences) {
      String known = audiences.get(connection);
      if (known != null) return known;
    }
    String text = "select (extract(epoch from clock_timestamp()) * 1000)::int8, akashi_auth.context_audience()";
    try (PreparedStatement ask = connection.prepareStatement(text); ResultSet row = ask.executeQuery()) {
      row.next();
      synchronized (audiences) {
        aheadMs = row.getLong(1) - System.currentTimeMillis();
        audiences.put(connection, row.getString(2));
      }
      return row.getString(2);
    }
  }
}
