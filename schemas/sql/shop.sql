-- The shop's database: the source of change data capture. Event time of a row is updated_at, set by the application.
CREATE TABLE IF NOT EXISTS users (
  id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  email VARCHAR(255) NULL,
  full_name VARCHAR(200) NULL,
  country VARCHAR(60) NULL,
  birth_date DATE NULL,
  created_at DATETIME(3) NOT NULL,
  updated_at DATETIME(3) NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE IF NOT EXISTS items (
  id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  title VARCHAR(200) NOT NULL,
  category VARCHAR(60) NULL,
  price DECIMAL(10,2) NOT NULL,
  active TINYINT(1) NOT NULL,
  created_at DATETIME(3) NOT NULL,
  updated_at DATETIME(3) NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE IF NOT EXISTS purchases (
  id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  user_id INT UNSIGNED NOT NULL,
  item_id INT UNSIGNED NOT NULL,
  quantity INT NOT NULL,
  unit_price DECIMAL(10,2) NOT NULL,
  created_at DATETIME(3) NOT NULL,
  updated_at DATETIME(3) NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE IF NOT EXISTS customer_profiles (
  user_id INT UNSIGNED NOT NULL PRIMARY KEY,
  age_band VARCHAR(20) NULL,
  marketing_consent TINYINT(1) NOT NULL,
  preferences JSON NULL,
  created_at DATETIME(3) NOT NULL,
  updated_at DATETIME(3) NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- The time that the sender has reached, ms since the epoch; NULL = wall clock. Change data capture reads it in binlog order.
CREATE TABLE IF NOT EXISTS sluice_clock (
  id TINYINT NOT NULL PRIMARY KEY,
  now_ms BIGINT NULL
) ENGINE=InnoDB;

INSERT IGNORE INTO sluice_clock (id, now_ms) VALUES (1, NULL);
