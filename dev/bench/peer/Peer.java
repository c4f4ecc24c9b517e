import org.apache.avro.Schema;
import org.apache.avro.generic.*;
import org.apache.avro.io.*;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.*;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.*;
import org.apache.kafka.streams.kstream.*;
import org.apache.kafka.streams.processor.api.*;
import org.apache.kafka.streams.state.*;
import java.io.*;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.*;

/** The peer of the benchmark: Kafka Streams on WORKLOAD=r1 (window count) or r3 (stream / global-table join). Settings come from the environment. */
public class Peer {
  static String env(String k, String d) { String v = System.getenv(k); return v == null || v.isEmpty() ? d : v; }

  static final Schema PAGEVIEW = new Schema.Parser().parse("{\"type\":\"record\",\"name\":\"PageView\",\"fields\":[{\"name\":\"event_id\",\"type\":\"string\"},{\"name\":\"user_id\",\"type\":\"string\"},{\"name\":\"item_id\",\"type\":\"string\"},{\"name\":\"channel\",\"type\":\"string\"},{\"name\":\"url\",\"type\":\"string\"},{\"name\":\"ts\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}}]}");
  static final Schema VIEWS = new Schema.Parser().parse("{\"type\":\"record\",\"name\":\"ItemViews\",\"fields\":[{\"name\":\"window_start\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}},{\"name\":\"item_id\",\"type\":\"string\"},{\"name\":\"channel\",\"type\":\"string\"},{\"name\":\"count\",\"type\":\"long\"}]}");
  static final Schema ITEM = new Schema.Parser().parse("{\"type\":\"record\",\"name\":\"Item\",\"fields\":[{\"name\":\"item_id\",\"type\":\"string\"},{\"name\":\"name\",\"type\":\"string\"},{\"name\":\"category\",\"type\":\"string\"},{\"name\":\"price_cents\",\"type\":\"long\"}]}");
  static final Schema ENRICHED = new Schema.Parser().parse("{\"type\":\"record\",\"name\":\"Enriched\",\"fields\":[{\"name\":\"event_id\",\"type\":\"string\"},{\"name\":\"user_id\",\"type\":\"string\"},{\"name\":\"item_id\",\"type\":\"string\"},{\"name\":\"channel\",\"type\":\"string\"},{\"name\":\"url\",\"type\":\"string\"},{\"name\":\"ts\",\"type\":\"long\"},{\"name\":\"item_name\",\"type\":[\"null\",\"string\"]},{\"name\":\"category\",\"type\":[\"null\",\"string\"]},{\"name\":\"price_cents\",\"type\":[\"null\",\"long\"]}]}");

  static class W { final GenericDatumWriter<GenericRecord> w; final ByteArrayOutputStream out = new ByteArrayOutputStream(256); BinaryEncoder e; W(Schema s) { w = new GenericDatumWriter<>(s); } }
  static class R { final GenericDatumReader<GenericRecord> r; BinaryDecoder d; R(Schema s) { r = new GenericDatumReader<>(s); } }

  /** Confluent wire format: 0, 4-byte id, Avro body. The schema is fixed, as the workload allows. Same decode path as GenericAvroSerde. */
  static Serde<GenericRecord> avro(Schema s, int id) {
    Serializer<GenericRecord> ser = new Serializer<>() {
      final ThreadLocal<W> tl = ThreadLocal.withInitial(() -> new W(s)); // serdes are shared by the stream threads
      public byte[] serialize(String t, GenericRecord r) {
        if (r == null) return null;
        W x = tl.get(); ByteArrayOutputStream out = x.out;
        try { out.reset(); out.write(0); out.write(id >>> 24); out.write(id >>> 16); out.write(id >>> 8); out.write(id);
          x.e = EncoderFactory.get().binaryEncoder(out, x.e); x.w.write(r, x.e); x.e.flush(); return out.toByteArray();
        } catch (IOException ex) { throw new UncheckedIOException(ex); }
      }};
    Deserializer<GenericRecord> de = new Deserializer<>() {
      final ThreadLocal<R> tl = ThreadLocal.withInitial(() -> new R(s));
      public GenericRecord deserialize(String t, byte[] b) {
        if (b == null) return null;
        if (b[0] != 0) throw new IllegalArgumentException("magic");
        R x = tl.get();
        try { x.d = DecoderFactory.get().binaryDecoder(b, 5, b.length - 5, x.d); return x.r.read(null, x.d); } catch (IOException ex) { throw new UncheckedIOException(ex); }
      }};
    return Serdes.serdeFrom(ser, de);
  }

  /** Lateness decided per input partition, before the repartition, so that every engine drops the same records (LATE=source). */
  static class LateDrop implements FixedKeyProcessor<String, GenericRecord, GenericRecord> {
    final long allowed; long max = Long.MIN_VALUE; FixedKeyProcessorContext<String, GenericRecord> c;
    LateDrop(long allowed) { this.allowed = allowed; }
    public void init(FixedKeyProcessorContext<String, GenericRecord> c) { this.c = c; }
    public void process(FixedKeyRecord<String, GenericRecord> r) {
      long ts = (Long) r.value().get("ts"); if (ts > max) max = ts;
      if (ts >= max - allowed) c.forward(r);
    }
  }

  public static void main(String[] a) throws Exception {
    String workload = env("WORKLOAD", "r1"), store = env("STORE", "rocksdb"), late = env("LATE", "source");
    Properties p = new Properties();
    p.put(StreamsConfig.APPLICATION_ID_CONFIG, env("APP_ID", "peers-ks"));
    p.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, env("BOOTSTRAP", "127.0.0.1:9192"));
    p.put(StreamsConfig.STATE_DIR_CONFIG, env("STATE_DIR", "state"));
    p.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, Integer.parseInt(env("THREADS", "2")));
    p.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, env("GUARANTEE", "at_least_once"));
    p.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, Long.parseLong(env("COMMIT_MS", "1000")));
    p.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
    p.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
    if (!env("CACHE_MB", "").isEmpty()) p.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, Long.parseLong(env("CACHE_MB", "10")) << 20);
    if (!env("LINGER_MS", "").isEmpty()) p.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), env("LINGER_MS", ""));
    if (store.equals("memory")) p.put(StreamsConfig.DSL_STORE_SUPPLIERS_CLASS_CONFIG, BuiltInDslStoreSuppliers.InMemoryDslStoreSuppliers.class);
    StreamsBuilder b = new StreamsBuilder();
    String in = env("INPUT", "r1.pageviews"), out = env("OUTPUT", "r1.item_views");
    Serde<String> str = Serdes.String();
    KStream<String, GenericRecord> views = b.stream(in, Consumed.with(str, avro(PAGEVIEW, 1)));
    if (workload.equals("r1")) {
      long graceMs = late.equals("native") ? 5 * 60_000L : 30 * 3_600_000L;
      KStream<String, GenericRecord> ok = views.filter((k, v) -> ((CharSequence) v.get("item_id")).length() > 0);
      if (late.equals("source")) ok = ok.processValues(() -> new LateDrop(3_600_000L));
      final byte[] one = {1};
      ok.map((k, v) -> KeyValue.pair(v.get("item_id") + "|" + v.get("channel"), one))
        .groupByKey(Grouped.with("by-item", str, Serdes.ByteArray()))
        .windowedBy(TimeWindows.ofSizeAndGrace(Duration.ofHours(1), Duration.ofMillis(graceMs)).advanceBy(Duration.ofMinutes(15)))
        .count(Named.as("count"), Materialized.<String, Long, WindowStore<Bytes, byte[]>>as("views").withKeySerde(str).withValueSerde(Serdes.Long()).withCachingEnabled())
        .toStream()
        .map((wk, n) -> {
          String k = wk.key(); int i = k.indexOf('|'); long ws = wk.window().start();
          GenericData.Record r = new GenericData.Record(VIEWS);
          r.put(0, ws); r.put(1, k.substring(0, i)); r.put(2, k.substring(i + 1)); r.put(3, n);
          return KeyValue.pair(ws + "|" + k, (GenericRecord) r);
        })
        .to(out, Produced.with(str, avro(VIEWS, 2)));
    } else {
      GlobalKTable<String, GenericRecord> items = b.globalTable(env("ITEMS", "r3.items"), Consumed.with(str, avro(ITEM, 4)));
      views.leftJoin(items, (k, v) -> v.get("item_id").toString(), (v, it) -> {
          GenericData.Record r = new GenericData.Record(ENRICHED);
          for (int i = 0; i < 6; i++) r.put(i, v.get(i));
          if (it != null) { r.put(6, it.get(1)); r.put(7, it.get(2)); r.put(8, it.get(3)); }
          return (GenericRecord) r;
        })
        .to(out, Produced.with(str, avro(ENRICHED, 3)));
    }
    Topology t = b.build(p);
    if (env("DESCRIBE", "").equals("1")) System.err.println(t.describe());
    KafkaStreams ks = new KafkaStreams(t, p);
    ks.setUncaughtExceptionHandler(x -> { x.printStackTrace(); return org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse.SHUTDOWN_APPLICATION; });
    Runtime.getRuntime().addShutdownHook(new Thread(() -> {
      double dropped = 0; for (var m : ks.metrics().values()) if (m.metricName().name().equals("dropped-records-total")) dropped += ((Number) m.metricValue()).doubleValue();
      System.err.println("dropped-records-total " + (long) dropped);
      ks.close(Duration.ofSeconds(8));
    }));
    ks.start();
    Thread.currentThread().join();
  }
}
