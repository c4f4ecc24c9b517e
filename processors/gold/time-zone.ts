/** Where the shop keeps its books: calendar days and months are those of this zone. */
export const SHOP_TIME_ZONE = 'Europe/Berlin';
