import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.time.zone.ZoneRules;
import java.util.Locale;

/**
 * What java.time says, for java_test.go: java DateTimes.java LOCALE. The first line of the output is the version of
 * the JDK. Each line of the input is answered:
 *
 * <pre>
 * PATTERN, ZONE, milliseconds of the epoch    "refused", "fails", or "=" and the text
 * ZONE, from, to, in seconds                  for from and each change before to: the seconds of the epoch, the
 *                                             offset in seconds, and whether it is summer; then "end"
 * </pre>
 *
 * Tabs are between the members of a line.
 */
public class DateTimes {
  static final long STEP = 12 * 3600; // no zone changes twice in it

  public static void main(String[] args) throws Exception {
    Locale locale = Locale.forLanguageTag(args[0]);
    PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    out.println(Runtime.version().feature());
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      String[] given = line.split("\t", -1);
      if (given[0].contains("/") && ZoneId.getAvailableZoneIds().contains(given[0]) || given[0].equals("UTC")) {
        transitions(out, given[0], Long.parseLong(given[1]), Long.parseLong(given[2]));
      } else {
        out.println(print(given[0], locale, ZoneId.of(given[1]), Instant.ofEpochMilli(Long.parseLong(given[2]))));
      }
    }
    out.flush();
  }

  static String print(String pattern, Locale locale, ZoneId zone, Instant at) {
    DateTimeFormatter formatter;
    try {
      formatter = DateTimeFormatter.ofPattern(pattern, locale);
    } catch (RuntimeException e) {
      return "refused";
    }
    try {
      return "=" + formatter.format(at.atZone(zone));
    } catch (RuntimeException e) {
      return "fails";
    }
  }

  static void transitions(PrintStream out, String zone, long from, long to) {
    ZoneRules rules = ZoneId.of(zone).getRules();
    out.println(from + "\t" + state(rules, from));
    for (long at = from; at < to; at += STEP) {
      long low = at, high = Math.min(at + STEP, to);
      String before = state(rules, low);
      if (before.equals(state(rules, high))) {
        continue;
      }
      while (high - low > 1) {
        long middle = (low + high) / 2;
        if (before.equals(state(rules, middle))) {
          low = middle;
        } else {
          high = middle;
        }
      }
      out.println(high + "\t" + state(rules, high));
    }
    out.println("end");
  }

  static String state(ZoneRules rules, long seconds) {
    Instant at = Instant.ofEpochSecond(seconds);
    return rules.getOffset(at).getTotalSeconds() + "\t" + rules.isDaylightSavings(at);
  }
}
