-- What change data capture needs beside SELECT: MYSQL_USER of the container has all rights on the shop's database and none beyond it.
GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO 'sluice'@'%';
